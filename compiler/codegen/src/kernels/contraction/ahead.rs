//! Asking for the next block of A while this one is multiplied: each tile asks for a part of it.

use super::pack::{Block, Side};
use crate::gemm::{Rows, Wanted};
use crate::mlir::{Bool, Index};

/// Stored rows that a tile asks for one after the other.
const RUN: i64 = 12;

/// A block as runs, the first of all columns of memory before the second.
#[derive(Clone, Copy)]
pub struct Ahead<'f> {
    rows: Rows<'f>,
    /// Runs that follow each other along the rows, and how many columns of them there are.
    runs: Index<'f>,
    columns: Index<'f>,
    /// Runs that each tile asks for, if any is to be asked for.
    each: Index<'f>,
    is_wanted: Bool<'f>,
}

impl<'f> Ahead<'f> {
    /// Shared out among as many tiles, at least one.
    pub fn new(side: &Side<'_, 'f>, block: Block<'f>, tiles: Index<'f>, is_wanted: Bool<'f>) -> Ahead<'f> {
        let (first, [rows, columns]) = side.stored(block);
        let stride = first.words(side.matrix.leading);
        let columns = first.words(columns).ceiling_division(Wanted::words(side.f.vectors()));
        // A product over no k at all has nothing to ask for.
        let runs = rows.ceiling_division(RUN).or_at_least(rows.constant(1));
        let each = (runs * columns + tiles - 1) / tiles;
        Ahead { rows: Rows { pointer: first.pointer, stride }, runs, columns, each, is_wanted }
    }

    pub fn of(self, tile: Index<'f>) -> Wanted<'f> {
        let Ahead { rows, runs, columns, each, is_wanted } = self;
        let (column, run) = (tile * each / runs, tile * each % runs);
        let words = Wanted::words(tile.function().vectors());
        let pointer = rows.row(run * RUN).at(column * words);
        let count = (is_wanted & column.less(columns)).select(each * RUN, tile.constant(0));
        Wanted { rows: Rows { pointer, ..rows }, count }
    }
}
