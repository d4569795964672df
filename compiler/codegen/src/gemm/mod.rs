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

pub use few::Few;
pub use layout::{Layout, round_up};
pub use micro::{Product, RowsOfA, Wanted, multiply};
pub use numbers::Numbers;
pub use pack::{AHEAD, Block, pack_columns, pack_group, pack_rows};
pub use rows::Rows;

/// The most steps of k that are packed at once: a panel of each operand then lies in the second cache beside the blocks.
pub const STEPS: i64 = 768;
