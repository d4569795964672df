//! The matrix product on packed operands: what every contraction calls, emitted once per module.
//!
//! The loops are those of BLIS: a block of B, then blocks of A, are copied into panels that the innermost loop reads in order; that loop, the micro-kernel,
//! keeps a tile of C in registers. Panels lie one after the other; within one, k runs slowest: a panel of A is `[k, Vectors::rows]`, one
//! of B `[k, Vectors::columns]`.
//!
//! Nothing is padded: what lies beyond the edge of a matrix is computed on repeated rows or idle lanes, and not stored.

mod micro;
mod pack;

pub use micro::{Panels, multiply};
pub use pack::{pack_straight, pack_transposed};

use crate::vectors::Vectors;

/// The largest part of k that is packed at once: a panel of each operand then lies in the second cache beside the blocks.
pub const K_BLOCK: i64 = 768;
/// Rows of A that are packed at once.
pub const A_ROWS: i64 = 144;

/// f32 in a block of `width` rows (of A) or columns (of B) with panels of `panel`. The copying loops write whole registers: one more may
/// be touched.
pub fn block_elements(width: i64, panel: usize, vectors: Vectors) -> i64 {
    let panel = panel as i64;
    (width + panel - 1) / panel * panel * K_BLOCK + vectors.width as i64 * panel
}
