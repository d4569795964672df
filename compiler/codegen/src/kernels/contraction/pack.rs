//! Packing a block of A or B, with the prologue on the way.

use super::operand::{Arguments, Matrix, Place};
use crate::gemm::{pack_straight, pack_transposed};
use crate::kernels::program::evaluate;
use crate::mlir::{Function, Index, Pointer, Vector};
use tfc_compiler::kernel::{Program, Register};

/// Columns that a prologue computes before they are transposed.
const STAGED: i64 = 128;
/// The distance of staged rows: not a multiple of the cache's page, so that rows do not fall on each other.
const STAGED_LEADING: i64 = STAGED + 16;

/// A or B, to be packed.
pub struct Side<'a, 'f> {
    pub f: &'f Function<'f>,
    pub arguments: &'a Arguments<'f>,
    pub matrix: Matrix<'f>,
    /// Stored with k along its rows: a row of it becomes a lane of a panel.
    pub k_along_rows: bool,
    /// Lanes of a panel.
    pub panel: i64,
    pub prologue: Option<&'a (Program, Register)>,
}

/// A part of the matrix: `lanes` rows of A (columns of B) from `lane` on, `depth` of k from `k` on.
#[derive(Clone, Copy)]
pub struct Block<'f> {
    pub outer: Index<'f>,
    pub lane: Index<'f>,
    pub lanes: Index<'f>,
    pub k: Index<'f>,
    pub depth: Index<'f>,
}

impl<'f> Side<'_, 'f> {
    /// Writes the panels of a block, one after the other.
    pub fn pack(&self, block: Block<'f>, destination: Pointer<'f>) {
        self.f.times(block.lanes.ceiling_division(self.panel), |p| {
            let first = p * self.panel;
            let panel = Block { lane: block.lane + first, lanes: block.lanes - first, ..block };
            let destination = destination.at(p * panel_elements(self.panel, block.depth));
            match self.k_along_rows {
                true => self.pack_rows(panel, destination),
                false => self.pack_columns(panel, destination),
            }
        });
    }

    /// Rows into lanes: a register's width of rows at a time.
    fn pack_rows(&self, panel: Block<'f>, destination: Pointer<'f>) {
        let width = self.f.vectors().width as i64;
        let stride = self.f.index(self.panel);
        self.f.each(self.f.index(0), stride, width, |first| {
            // A group wholly beyond the edge repeats the last row.
            let first_there = first.or_at_most(panel.lanes - 1);
            let rows = Block { lane: panel.lane + first_there, lanes: panel.lanes - first_there, ..panel };
            let destination = destination.at(first);
            match self.prologue {
                None => {
                    let source = self.row(panel.outer, rows.lane).at(panel.k);
                    pack_transposed(self.f, source, self.matrix.leading, rows.lanes, panel.depth, destination, stride);
                }
                Some(prologue) => self.pack_computed_rows(prologue, rows, destination, stride),
            }
        });
    }

    fn pack_computed_rows(
        &self,
        prologue: &(Program, Register),
        rows: Block<'f>,
        destination: Pointer<'f>,
        stride: Index<'f>,
    ) {
        let width = self.f.vectors().width as i64;
        let staged = self.f.stack(width * STAGED_LEADING);
        let count = rows.lanes.or_at_most(self.f.index(width));
        self.f.each(self.f.index(0), rows.depth, STAGED, |k| {
            let columns = (rows.depth - k).or_at_most(self.f.index(STAGED));
            self.f.times(count, |r| {
                let (row, staged) = (rows.lane + r, staged.at(r * STAGED_LEADING));
                self.f.strips(self.f.index(0), columns, |column, lanes| {
                    let place = Place { outer: rows.outer, row, column: rows.k + k + column, lanes };
                    staged.store_vector(column, self.computed(prologue, place));
                });
            });
            pack_transposed(
                self.f,
                staged,
                self.f.index(STAGED_LEADING),
                count,
                columns,
                destination.at(k * stride),
                stride,
            );
        });
    }

    /// Columns into lanes: a copy of each row.
    fn pack_columns(&self, panel: Block<'f>, destination: Pointer<'f>) {
        let Some(prologue) = self.prologue else {
            let source = self.row(panel.outer, panel.k).at(panel.lane);
            return pack_straight(
                self.f,
                source,
                self.matrix.leading,
                panel.lanes,
                panel.depth,
                destination,
                self.panel,
            );
        };
        let columns = panel.lanes.or_at_most(self.f.index(self.panel));
        self.f.times(panel.depth, |k| {
            let destination = destination.at(k * self.panel);
            self.f.strips(self.f.index(0), columns, |column, lanes| {
                let place = Place { outer: panel.outer, row: panel.k + k, column: panel.lane + column, lanes };
                destination.store_vector(column, self.computed(prologue, place));
            });
        });
    }

    fn computed(&self, (program, register): &(Program, Register), place: Place<'f>) -> Vector<'f> {
        let given = self.row(place.outer, place.row).load_lanes(place.column, place.lanes);
        evaluate(self.f, program, &[*register], &mut |_, op| self.arguments.leaf(op, given, place))[0]
    }

    /// Where a stored row begins.
    fn row(&self, outer: Index<'f>, row: Index<'f>) -> Pointer<'f> {
        self.matrix.pointer.at(outer * self.matrix.outer + row * self.matrix.leading)
    }
}

/// The distance of packed panels: whole registers along k, for that is what is written.
pub fn panel_elements<'f>(panel: i64, depth: Index<'f>) -> Index<'f> {
    depth.round_up(depth.function().vectors().width as i64) * panel
}
