//! Attention in tiles with an online softmax, forward and backward: never a matrix of positions by positions in memory.
//!
//! The number of channels C of a head is part of the structure, for registers are tiled by it. B sequences, T positions, H heads, G key/value
//! heads. All tensors are contiguous; query head h uses key/value head h / (H / G).

use super::program::Number;
use super::rotary::Rotary;
use crate::graph::AttentionMask;
use crate::precision::Precision;

/// Operands: q `[B, T, H, C]`, k `[B, T, G, C]`, v `[B, T, G, C]`, positions i32 `[B, T]` if there are `documents`, out `[B, T, H, C]`,
/// log-sum-exp `[B, T, H]`. Sizes: B, T, H, G. Extent: B · H · ⌈T / ROW_BLOCK⌉.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attention {
    /// What queries and keys are rounded to, and weights and values.
    pub precision: Precision,
    pub channels: u32,
    pub mask: AttentionMask,
    /// Whether a query sees nothing of other documents: see `Op::Attention`.
    pub documents: bool,
    pub scale: Number,
}

/// Operands: q, k, v, out, log-sum-exp, gradient of out, positions if there are `documents`, gradients of q, k, v (zeroed by the kernel), and what turning takes. Sizes: B, T, H, G. Extent: B · G.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AttentionBackward {
    /// What the operands of all products are rounded to.
    pub precision: Precision,
    pub channels: u32,
    pub mask: AttentionMask,
    pub documents: bool,
    pub scale: Number,
    /// Of the gradients of q and k.
    pub rotary: Option<Rotary>,
}

/// Operands: q `[B, T, H, C]`, keys `[B, S, G, C]`, values `[B, S, G, C]`, position i32, out `[B, T, H, C]`. Query t sees keys up to position + t. Sizes: B, T, S, H, G.
/// Extent: B · H.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CachedAttention {
    pub channels: u32,
    pub mask: AttentionMask,
    pub scale: Number,
}

impl Attention {
    pub const ROW_BLOCK: i64 = 128;

    pub fn extent(&self, sizes: &[i64]) -> i64 {
        sizes[0] * sizes[2] * ((sizes[1] + Self::ROW_BLOCK - 1) / Self::ROW_BLOCK)
    }
}

impl AttentionBackward {
    pub fn extent(&self, sizes: &[i64]) -> i64 {
        sizes[0] * sizes[3]
    }
}

impl CachedAttention {
    pub fn extent(&self, sizes: &[i64]) -> i64 {
        sizes[0] * sizes[3]
    }
}
