//! Attention in tiles on tensor cores, with an online softmax, forward and backward.
//!
//! A block has 64 rows of a matrix of scores, or fewer where its shared memory is short, 16 for each of its warps, and walks along its columns: queries and keys, or, for the gradients of keys and values,
//! keys and queries. Products are of tf32; what goes by is copied around registers, tiles ahead, and rounded as fragments are read. The sums of one product, where they are in registers, are an operand of the next (see
//! [`Slice::turned_fragment`](super::slice::Slice::turned_fragment)), so that scores never go to memory.
//!
//! Gradients are computed twice over: blocks of one kind walk along keys for the gradient of queries, blocks of another walk along queries for those of keys and
//! values. That costs two products more than adding to the gradient of queries from all blocks, and is the same in every run.

mod backward;
mod few;
mod forward;
mod heads;
mod scoring;
#[cfg(test)]
mod tests;
mod tile;

pub use backward::{emit as emit_backward, geometry as backward_geometry, registers as backward_registers};
pub use forward::{cached_geometry, emit, emit_cached, geometry, registers};

/// Channels of a head up to which there is code: sums of more have no room in registers.
pub const MOST_CHANNELS: u32 = 256;
