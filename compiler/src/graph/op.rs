//! The operations: what each means, its operands and its results.

use crate::scalar::{Binary, Unary};
use crate::size::Size;
use crate::storage::Storage;

/// A reduction over axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reduction {
    Sum,
    Maximum,
    /// √Σx², exact also where Σx² leaves the range of f32 (tokenformer.md, "Epsilon").
    L2Norm,
}

impl Reduction {
    pub const ALL: [Reduction; 3] = [Reduction::Sum, Reduction::Maximum, Reduction::L2Norm];

    pub fn name(self) -> &'static str {
        match self {
            Reduction::Sum => "sum",
            Reduction::Maximum => "maximum",
            Reduction::L2Norm => "l2_norm",
        }
    }
}

/// Which keys a query may see. Positions are those of the full sequence: with a cache, the first query stands at the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttentionMask {
    Full,
    /// Its own position and those before.
    Causal,
    /// Its own position and the `n − 1` before it.
    Window(u32),
}

/// An operation. Letters: B batch, T positions, H heads, G key/value heads (H a multiple of G), C channels of a head, V classes,
/// D width.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    // Sources. The type cannot be inferred from operands and is given to the builder.
    Load(Storage),
    /// One number everywhere.
    Constant(f64),
    /// A size as a number, f32 `[]`: what a mean divides by.
    SizeOf(Size),
    /// 0, 1, 2, … along one axis, the same along the others; f32.
    Iota {
        axis: usize,
    },
    /// Uniform in [0, 1), one number per element, drawn from the dropout stream `stream`; operands: seed i32 `[2]` (of this step). The
    /// number is a function of seed, stream and the element's index alone.
    Uniform {
        stream: u32,
        shape: Vec<Size>,
    },

    // Pointwise: operands and result of one type.
    Unary(Unary),
    Binary(Binary),
    /// (condition, a, b): a where the condition is not 0, else b.
    Select,
    /// i32 to f32.
    ToFloat,

    // Shape.
    /// Repeats axes of size 1; the rank stays.
    Broadcast {
        shape: Vec<Size>,
    },
    /// The same elements in the same order.
    Reshape {
        shape: Vec<Size>,
    },
    /// Axis i of the result is axis `permutation[i]` of the operand.
    Transpose {
        permutation: Vec<usize>,
    },
    Slice {
        axis: usize,
        start: Size,
        length: Size,
    },
    Concat {
        axis: usize,
    },

    /// Over `axes` (ascending), which stay with size 1.
    Reduce {
        reduction: Reduction,
        axes: Vec<usize>,
    },

    /// (a, b): `[…, M, K] × [K, N]` (one matrix for all) or `[…, M, K] × […, K, N]` (equal leading axes). A transposed operand has its last two
    /// axes swapped.
    MatMul {
        transpose_a: bool,
        transpose_b: bool,
    },

    // Composites over the last axis: they have a gradient rule of their own, and a pass expands them afterwards.
    /// x / (‖x‖₂ + eps), 0 for a zero row.
    L2Normalize {
        eps: f64,
    },
    /// (x − mean) / √(variance + eps).
    LayerNorm {
        eps: f64,
    },
    /// x / √(mean of squares + eps).
    RmsNorm {
        eps: f64,
    },
    Softmax,
    /// 1 at the k largest numbers of a row, of equals the first; 0 elsewhere, and where x is NaN. k is at least 1, and at most the length of a row.
    TopK {
        k: Size,
    },
    /// (x `[…, N]`, k `[…, 1]`) → `[…, 1]`: the smallest number of a row that fewer than k others exceed; ∞ of a row without a number. k is a whole number of at least 1.
    KthLargest,

    /// (ids i32 `[…]`, table `[V, D]`) → `[…, D]`.
    Embed,
    /// (ids i32 `[…]`, gradient `[…, D]`) → gradient of the table `[V, D]`; rows added in the order of the ids.
    EmbedBackward {
        classes: Size,
    },
    /// (labels i32 `[…]`) → `[…, V]` of 0 and 1.
    OneHot {
        classes: Size,
    },

    /// (x `[B, T, H, C]`, position i32 `[]` of the first of the T, or positions i32 `[B, T]`, each below T) → rotates channel pairs (i, i + channels/2) of the first `channels` by the angle
    /// position · base^(−2i/channels) (NeoX layout); by the negative angle if `inverse`.
    Rope {
        channels: usize,
        base: f64,
        inverse: bool,
    },

    /// (q `[B, T, H, C]`, k `[B, T, G, C]`, v `[B, T, G, C]`) → (out `[B, T, H, C]`, log-sum-exp `[B, T, H]`); softmax(scale · q·kᵀ + mask) · v.
    /// Where a sequence holds several documents a last operand says at which position of its document each token stands, i32
    /// `[B, T]`: a query sees nothing of other documents.
    Attention {
        mask: AttentionMask,
        scale: f64,
    },
    /// (q, k, v, out, log-sum-exp, gradient of out), and the positions if there are any → gradients of (q, k, v).
    AttentionBackward {
        mask: AttentionMask,
        scale: f64,
    },
    /// (q `[B, T, H, C]`, key cache `[B, S, G, C]`, value cache `[B, S, G, C]`, position i32 `[]`) → out `[B, T, H, C]`; the caches hold the T new positions too.
    CachedAttention {
        mask: AttentionMask,
        scale: f64,
    },
    /// (cache `[B, S, G, C]`, new `[B, T, G, C]`, position i32 `[]`) → the cache with the new rows from `position` on.
    CacheWrite,

    /// (logits `[…, V]`, labels i32 `[…]`) → (loss `[…, 1]`, log-sum-exp `[…, 1]`), the loss of a row −log of the softmax at its label.
    CrossEntropy,
    /// (logits, labels, log-sum-exp, gradient of loss `[…, 1]`) → gradient of logits.
    CrossEntropyBackward,
    /// [`Op::CrossEntropy`] of the matrix product: (h `[…, D]`, w `[V, D]`, labels) → (loss, log-sum-exp), in chunks of rows: the logits never exist as a whole.
    VocabularyLoss,
    /// (h, w, labels, log-sum-exp, gradient of loss `[…, 1]`) → gradients of (h, w).
    VocabularyLossBackward,
    /// (x `[…, V]`) → i32 `[…]`: the index of the largest, the first of equals.
    ArgMax,
    /// i32 (a, b) → f32 1 where equal, else 0.
    LabelsEqual,
}

impl Op {
    /// Whether it has no operands, so that its type is given and not inferred.
    pub fn is_source(&self) -> bool {
        matches!(self, Op::Load(_) | Op::Constant(_) | Op::SizeOf(_) | Op::Iota { .. })
    }
}
