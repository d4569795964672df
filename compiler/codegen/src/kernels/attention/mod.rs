//! Attention in tiles, forward and backward.
//!
//! Scores stand as Sᵀ = K·Qᵀ, a row for each key and queries in lanes: the softmax over keys needs no sums across lanes. The sums over keys and over
//! queries that follow read such a tile along its columns or its rows (see [`tile`]), so that only queries are ever turned, once a block. The half
//! of the scores that a causal mask hides is left out, in steps of a micro-tile.

mod alone;
mod backward;
mod forward;
mod head;
mod softmax;
mod sums;
mod tile;
mod tiles;

pub use backward::{emit as emit_backward, scratch_elements as backward_scratch_elements};
pub use forward::{cached_scratch_elements, emit, emit_cached, scratch_elements};
pub use softmax::LOWEST;

#[cfg(test)]
mod tests;

/// Keys that are copied and scored at once: a multiple of every micro-tile's rows.
const KEYS: i64 = 144;
/// The same in tile registers.
const TILES_KEYS: i64 = 128;
