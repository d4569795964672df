//! The matrix product: what every contraction calls, emitted once per module.
//!
//! The loops are those of BLIS: a block of B, then blocks of A, are copied into panels that the innermost loop reads in order; that loop, the
//! micro-kernel, keeps a tile of C in registers. Rows of A that are stored along k, as they are multiplied, are read where they are ([`RowsOfA`]).
//!
//! What lies beyond the edge of a matrix is computed on repeated rows or idle lanes, and not stored.
//!
//! With few rows of A packing would be most of the work: [`Few`] does without.

mod few;
mod layout;
mod micro;
mod numbers;
mod pack;
mod rows;
mod tiles;

use crate::vectors::Vectors;
pub use few::Few;
pub use layout::{Layout, Order, round_up};
pub use micro::{Product, RowsOfA, Wanted, multiply};
pub use numbers::Numbers;
pub use pack::{AHEAD, Block, pack_columns, pack_group, pack_rows};
pub use rows::Rows;
pub use tiles::{STEP as TILE_STEP, Sums as TileSums};

/// The most steps of k that are packed at once: a panel of each operand then lies in the second cache beside the blocks.
const STEPS: i64 = 768;
/// The same of tile registers, which read panels several times as fast: one of B should be in the first cache while those of A go by, and tiles that are kept
/// from pass to pass cost more than that gains.
const TILE_STEPS: i64 = 384;
/// The same where multiplications read A: a panel of B should be in half of the first cache, the other half is somebody else's.
const EMBEDDED_STEPS: i64 = 192;

/// The most k that are packed at once.
pub fn most_depth(numbers: Numbers, vectors: Vectors) -> i64 {
    let steps = match (numbers.in_tiles(vectors), vectors.embedded_broadcast) {
        (true, _) => TILE_STEPS,
        (false, true) => EMBEDDED_STEPS,
        (false, false) => STEPS,
    };
    steps * numbers.step()
}
