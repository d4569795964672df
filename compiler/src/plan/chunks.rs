//! The chunks of rows that the body of a step is done for, one after the other.

use crate::size::{Size, SizeValues, Symbol};

/// The sizes that hold in each chunk of at most `most` rows: as few chunks as that allows, as even as they can be, the first the largest. So what a chunk needs is
/// no larger than it must be.
pub fn chunks(sizes: &SizeValues, rows: &Size, most: i64) -> impl Iterator<Item = SizeValues> {
    let rows = rows.eval(sizes).max(0) as u64;
    let each = rows.div_ceil(rows.div_ceil(most as u64).max(1));
    let of_chunk = move |start: u64| {
        let there = each.min(rows - start) as i64;
        sizes.clone().with(Symbol::CHUNK_START, start as i64).with(Symbol::CHUNK_ROWS, there)
    };
    (0..rows).step_by(each.max(1) as usize).map(of_chunk)
}
