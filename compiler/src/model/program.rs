//! The forward pass, the loss and the metrics as primitives of the language on typed values, in SSA form.

use crate::graph::{AttentionMask, DType};
use crate::scalar::{Binary, Unary};
use crate::size::Size;
use tfc_grammar::span::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub u32);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueType {
    pub dtype: DType,
    pub shape: Vec<Size>,
}

/// One primitive applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    pub primitive: Primitive,
    /// Values that stand before this one.
    pub operands: Vec<ValueId>,
    pub ty: ValueType,
    pub span: Span,
    /// The layer instance it belongs to: `block.3.attend`.
    pub path: String,
}

/// Values, and the names that `tfc run --entry` knows: the bindings of `forward`, `loss` and the metrics, in source order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    pub values: Vec<Application>,
    pub names: Vec<(String, ValueId)>,
    pub loss: Option<ValueId>,
    /// Every scalar bound beside `loss`.
    pub metrics: Vec<(String, ValueId)>,
}

impl Program {
    /// The values that `wanted` are computed from, themselves included, ascending; not those that are `done`, nor what only they need.
    /// Without recursion: programs are deep.
    pub fn reachable(&self, wanted: &[ValueId], done: &dyn Fn(ValueId) -> bool) -> Vec<ValueId> {
        let mut needed = vec![false; self.values.len()];
        for id in wanted {
            needed[id.0 as usize] = !done(*id);
        }
        for index in (0..needed.len()).rev() {
            if needed[index] {
                for operand in &self.values[index].operands {
                    needed[operand.0 as usize] = !done(*operand);
                }
            }
        }
        (0..needed.len() as u32).map(ValueId).filter(|v| needed[v.0 as usize]).collect()
    }
}

/// The input that ids are of, as they come, one place later or moved about: nothing computes ids.
pub fn source_of_ids(values: &[Application], mut ids: ValueId) -> usize {
    loop {
        let value = &values[ids.0 as usize];
        match value.primitive {
            Primitive::Input(input) | Primitive::Next(input) => return input,
            Primitive::Slice { .. } | Primitive::Transpose { .. } | Primitive::Reshape => ids = value.operands[0],
            ref other => panic!("bug in tfc: {other:?} makes ids"),
        }
    }
}

/// The operations that lowering knows. Shapes: leading axes are `batch`, then `sequence` for language models; pointwise
/// primitives broadcast as NumPy does (right-aligned, axes of size 1 repeat).
#[derive(Clone, Debug, PartialEq)]
pub enum Primitive {
    /// Index into `Model::inputs`.
    Input(usize),
    /// `next(ids)`: input i one place later.
    Next(usize),
    Parameter(usize),
    Number(f64),
    /// The run-time scalar τ, shape `[]`: index into `Model::scales`.
    Scale(usize),
    /// A size as a number that follows growth, shape `[]`; only where it is no scale.
    Size(Size),

    Unary(Unary),
    Binary(Binary),
    /// (x, w): `[.., k] × [k, n]`, or `[n, k]` if transposed; or both with equal leading axes.
    MatMul {
        transposed: bool,
    },
    /// (ids, table)
    Embed,
    /// (q `[batch, positions, heads, channels]`, k, v of as many or fewer heads)
    Attention {
        mask: AttentionMask,
    },
    Rope {
        channels: usize,
        base: f64,
    },
    L2Normalize {
        eps: f64,
    },
    LayerNorm {
        eps: f64,
    },
    RmsNorm {
        eps: f64,
    },
    /// Over the last axis.
    Softmax,
    /// 1 at the k largest numbers of each row, of equals the first; 0 elsewhere.
    TopK {
        k: Size,
    },
    /// Over axes, which vanish.
    Sum {
        axes: Vec<usize>,
    },
    Mean {
        axes: Vec<usize>,
    },
    Concat {
        axis: usize,
    },
    Slice {
        axis: usize,
        start: Size,
        length: Size,
    },
    Reshape,
    Transpose {
        permutation: Vec<usize>,
    },
    /// (table `[context, width]`) → the rows of the present positions `[batch, sequence, width]`.
    Positions,
    /// `[.., positions, width]` → `[.., positions, heads, width / heads]`, and back.
    SplitHeads {
        heads: i64,
    },
    MergeHeads,
    /// `[batch, channels, height, width]` → `[batch, patches, channels · size²]`, patches in reading order.
    Patches {
        size: i64,
    },
    /// Repeats axes of size 1 to the type's shape.
    Expand,
    /// Each element 0 with probability `rate`, the others divided by 1 − rate; only while training. Streams are numbered in source order.
    Dropout {
        rate: f64,
        stream: u32,
    },
    /// As [`Primitive::Dropout`], for all elements of a sequence (or an image) at once.
    DropPath {
        rate: f64,
        stream: u32,
    },
    /// The mask `first(uniform(low, high))`: 1 for the first ⌈u·n⌉ of n parameter tokens; u is drawn per step while training, and `shown` otherwise.
    First {
        low: f64,
        high: f64,
        /// 1, unless a part of the model is looked at: [`crate::model::Model::show_first`].
        shown: f64,
        stream: u32,
    },
    /// (logits `[.., classes]`, labels) → mean over all rows, shape `[]`.
    CrossEntropy,
    /// (logits, labels) → the fraction of rows whose largest logit is the label's, shape `[]`.
    Accuracy,
}
