//! Attention in tiles, forward and backward.
//!
//! Queries are lanes and keys are rows: scores are computed as Sᵀ = K·Qᵀ, so the softmax over keys needs no sums across lanes, and the
//! probabilities Pᵀ stand as the micro-kernel wants its second operand for Oᵀ = Vᵀ·Pᵀ. All products are calls of [`crate::gemm::multiply`].

mod backward;
mod forward;
mod head;
mod softmax;

pub use backward::{emit as emit_backward, scratch_elements as backward_scratch_elements};
pub use forward::{emit, emit_cached, scratch_elements};

#[cfg(test)]
mod tests;

/// Keys that are packed and scored at once: a multiple of every micro-tile's rows.
const KEYS: i64 = 96;
