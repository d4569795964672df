//! Packing a block of A or B, with the prologue on the way.

use super::operand::{Arguments, Matrix, Place};
use crate::gemm::{self, AHEAD, Layout, Order, RowsOfA, pack_columns, pack_group, pack_rows};
use crate::kernels::program::evaluate;
use crate::mlir::{Cache, Function, Index, Pointer, Stored, Vector};
use tfc_compiler::kernel::{Contraction, Program, Register};
use tfc_compiler::optimization::Optimization;

/// Columns that a prologue computes before they are transposed.
const STAGED: i64 = 128;
/// The distance of staged rows: not a multiple of the cache's page, so that rows do not fall on each other.
const STAGED_LEADING: i64 = STAGED + 16;

/// The fewest k, and the lanes, that are computed before they are spread: whole panels, and whole steps of every number.
const STAGED_STEPS: i64 = 16;
const STAGED_LANES: i64 = Contraction::PACKED_ROWS;

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
        let Block { lanes, depth, distance, .. } = block;
        let (source, _) = self.stored(block);
        let as_it_is = gemm::Block { source, leading: self.matrix.leading, lanes, depth, distance };
        match (self.k_along_rows, self.prologue) {
            (true, None) => pack_rows(self.f, self.layout, as_it_is, destination),
            (false, None) => pack_columns(self.f, self.layout, as_it_is, destination),
            (true, Some(prologue)) => self.pack_computed_rows(prologue, block, destination),
            (false, Some(prologue)) => self.pack_computed_columns(prologue, block, destination),
        }
    }

    /// Whether its rows are multiplied as they are stored, and need not be packed. Tiles are read one by one, so that no prefetcher of a processor
    /// follows rows that are far apart.
    pub fn is_in_place(&self) -> bool {
        let has_words = self.layout.numbers.stored_as() == Some(self.matrix.elements.dtype);
        // A multiplication would need the distance of rows in its address, which makes two instructions of it.
        let reads_words = self.layout.order == Order::Steps && !self.f.vectors().embedded_broadcast;
        has_words
            && reads_words
            && self.prologue.is_none()
            && self.k_along_rows
            && self.f.uses(Optimization::StoredRows)
    }

    /// How many of some lanes need not be packed: those of whole tiles.
    pub fn lanes_in_place(&self, lanes: Index<'f>) -> Index<'f> {
        if self.is_in_place() { lanes / self.layout.lanes * self.layout.lanes } else { lanes.constant(0) }
    }

    /// Rows as they are stored, from an element on.
    pub fn rows(&self, outer: Index<'f>, row: Index<'f>, k: Index<'f>) -> RowsOfA<'f> {
        RowsOfA::Stored(self.row(outer, row).at(k), self.matrix.leading)
    }

    /// Where a block begins, and its rows and columns as they are stored.
    pub fn stored(&self, block: Block<'f>) -> (Stored<'f>, [Index<'f>; 2]) {
        let Block { outer, lane, lanes, k, depth, .. } = block;
        match self.k_along_rows {
            true => (self.row(outer, lane).at(k), [lanes, depth]),
            false => (self.row(outer, k).at(lane), [depth, lanes]),
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
                let lanes =
                    (block.lanes - first).or_at_most((f.index(layout.lanes) - group).or_at_most(f.index(width)));
                f.each(f.index(0), block.depth, STAGED, |k| {
                    let depth = (block.depth - k).or_at_most(f.index(STAGED));
                    f.times(lanes, |r| {
                        // The same columns of the next group, which lies elsewhere.
                        let later = self.row(block.outer, block.lane + first + width + r).at(block.k + k);
                        later.prefetch(STAGED, Cache::Passing, false);
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
                    let to = destination.at(layout.step(k) + layout.lane(group));
                    pack_group(f, layout, group_block, to);
                });
            });
        });
    }

    /// Whole registers of a few rows are computed before they are spread over the panels.
    fn pack_computed_columns(&self, prologue: &(Program, Register), block: Block<'f>, destination: Pointer<'f>) {
        let (f, layout) = (self.f, self.layout);
        let steps = STAGED_STEPS.max(layout.together());
        let staged = f.stack(steps * STAGED_LANES);
        f.each(f.index(0), block.depth, steps, |k| {
            let depth = (block.depth - k).or_at_most(f.index(steps));
            f.each(f.index(0), block.lanes, STAGED_LANES, |first| {
                let lanes = (block.lanes - first).or_at_most(f.index(STAGED_LANES));
                let (row, column) = (block.k + k, block.lane + first);
                f.times(depth, |r| {
                    let later = self.row(block.outer, row + r + AHEAD).at(column);
                    later.prefetch(STAGED_LANES, Cache::First, false);
                    f.strips(f.index(0), lanes, |lane, edge| {
                        let place = Place { outer: block.outer, row: row + r, column: column + lane, lanes: edge };
                        staged.store_vector(r * STAGED_LANES + lane, self.computed(prologue, place));
                    });
                });
                let staged_block = gemm::Block {
                    source: staged.into(),
                    leading: f.index(STAGED_LANES),
                    lanes,
                    depth,
                    distance: block.distance,
                };
                let to = destination.at(first / layout.lanes * block.distance + layout.step(k));
                pack_columns(f, layout, staged_block, to);
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
