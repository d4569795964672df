//! Packing a block of A or B, with the prologue on the way.

use super::operand::{Arguments, Matrix, Place};
use crate::gemm::{self, AHEAD, Layout, pack_columns, pack_group, pack_rows};
use crate::kernels::program::evaluate;
use crate::mlir::{Cache, Function, Index, Pointer, Stored, Vector};
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
    pub layout: Layout,
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
    /// From one panel to the next.
    pub distance: Index<'f>,
}

impl<'f> Side<'_, 'f> {
    /// Writes the panels of a block, one after the other.
    pub fn pack(&self, block: Block<'f>, destination: Pointer<'f>) {
        let Block { outer, lane, lanes, k, depth, distance } = block;
        let leading = self.matrix.leading;
        match (self.k_along_rows, self.prologue) {
            (true, None) => {
                let source = self.row(outer, lane).at(k);
                pack_rows(self.f, self.layout, gemm::Block { source, leading, lanes, depth, distance }, destination);
            }
            (false, None) => {
                let source = self.row(outer, k).at(lane);
                pack_columns(self.f, self.layout, gemm::Block { source, leading, lanes, depth, distance }, destination);
            }
            (true, Some(prologue)) => self.pack_computed_rows(prologue, block, destination),
            (false, Some(prologue)) => self.pack_computed_columns(prologue, block, destination),
        }
    }

    /// A register's width of rows at a time is computed for some columns, then transposed.
    fn pack_computed_rows(&self, prologue: &(Program, Register), block: Block<'f>, destination: Pointer<'f>) {
        let (f, layout, width) = (self.f, self.layout, self.f.vectors().width as i64);
        let staged = f.stack(width * STAGED_LEADING);
        f.each(f.index(0), block.lanes, layout.lanes, |panel| {
            let destination = destination.at(panel / layout.lanes * block.distance);
            f.each(f.index(0), (block.lanes - panel).or_at_most(f.index(layout.lanes)), width, |group| {
                let first = panel + group;
                let lanes = (block.lanes - first).or_at_most(f.index(width));
                f.each(f.index(0), block.depth, STAGED, |k| {
                    let depth = (block.depth - k).or_at_most(f.index(STAGED));
                    f.times(lanes, |r| {
                        // The same columns of the next group, which lies elsewhere.
                        let later = self.row(block.outer, block.lane + first + width + r).at(block.k + k);
                        later.prefetch(STAGED, Cache::Second, false);
                        f.strips(f.index(0), depth, |column, edge| {
                            let (row, column_of_matrix) = (block.lane + first + r, block.k + k + column);
                            let place = Place { outer: block.outer, row, column: column_of_matrix, lanes: edge };
                            staged.store_vector(r * STAGED_LEADING + column, self.computed(prologue, place));
                        });
                    });
                    let group_block = gemm::Block {
                        source: staged.into(),
                        leading: f.index(STAGED_LEADING),
                        lanes,
                        depth,
                        distance: block.distance,
                    };
                    let to = destination.at(layout.step(k) + group);
                    pack_group(f, layout.numbers, group_block, to, f.index(layout.pitch));
                });
            });
        });
    }

    /// The rows of a step are computed and spread over the panels.
    fn pack_computed_columns(&self, prologue: &(Program, Register), block: Block<'f>, destination: Pointer<'f>) {
        let (f, layout) = (self.f, self.layout);
        let staged = f.stack(layout.numbers.step() * layout.pitch);
        let registers = || (0..layout.pitch).step_by(f.vectors().width);
        f.each(f.index(0), block.depth, layout.numbers.step(), |k| {
            f.each(f.index(0), block.lanes, layout.lanes, |panel| {
                let to = destination.at(panel / layout.lanes * block.distance + layout.step(k));
                let columns = (block.lanes - panel).or_at_most(f.index(layout.lanes));
                for row in 0..layout.numbers.step() {
                    let later = self.row(block.outer, block.k + k + (row + AHEAD)).at(block.lane + panel);
                    later.prefetch(layout.pitch, Cache::First, false);
                }
                let row = |row: Index<'f>, store: &dyn Fn(Index<'f>, Vector<'f>)| {
                    f.strips(f.index(0), columns, |column, lanes| {
                        let column_of_matrix = block.lane + panel + column;
                        let place = Place { outer: block.outer, row: block.k + row, column: column_of_matrix, lanes };
                        store(column, self.computed(prologue, place));
                    });
                };
                match layout.numbers.step() {
                    1 => row(k, &|column, value| to.store_vector(column, layout.numbers.across(|_| value))),
                    step => {
                        let there = (block.depth - k).or_at_most(f.index(step));
                        f.times(there, |i| {
                            row(k + i, &|column, value| staged.store_vector(i * layout.pitch + column, value));
                        });
                        f.each(there, f.index(step), 1, |i| {
                            let zero = |first| staged.store_vector(i * layout.pitch + first, f.vector(0.0));
                            registers().for_each(zero);
                        });
                        registers().for_each(|first| {
                            let row = |i: i64| staged.load_vector(f.index(i * layout.pitch + first));
                            to.store_vector(f.index(first), layout.numbers.across(row));
                        });
                    }
                }
            });
        });
    }

    fn computed(&self, (program, register): &(Program, Register), place: Place<'f>) -> Vector<'f> {
        let given = self.row(place.outer, place.row).load_lanes(place.column, place.lanes);
        evaluate(self.f, self.arguments.accuracy, program, &[*register], &mut |_, op| {
            self.arguments.leaf(op, given, place)
        })[0]
    }

    /// Where a stored row begins.
    fn row(&self, outer: Index<'f>, row: Index<'f>) -> Stored<'f> {
        self.matrix.elements.at(outer * self.matrix.outer + row * self.matrix.leading)
    }
}
