//! The table of gradient rules: for every operation, the gradients of its operands from those of its results.
//!
//! A rule answers for each operand, None where there is none to give: integers, seeds, and numbers that a result does not
//! depend on smoothly. It may compute a gradient that nobody asked for; the pass `dce` drops that.

use super::{joining, moving, norms, pointwise};
use crate::graph::{Builder, NodeId, Op, Value};

/// `g` holds one gradient per result, None where the loss does not depend on the result; at least one is there.
pub(super) fn gradients_of_operands(
    b: &mut Builder,
    id: NodeId,
    operands: &[Value],
    g: &[Option<Value>],
) -> Vec<Option<Value>> {
    let y = Value { node: id, result: 0 };
    let x = |i: usize| operands[i];
    match b.op(y).clone() {
        Op::Load(_) | Op::Constant(_) | Op::SizeOf(_) | Op::Iota { .. } => vec![],
        Op::Uniform { .. } => vec![None],

        Op::Unary(function) => vec![pointwise::unary(b, function, x(0), y, only(g))],
        Op::Binary(function) => pointwise::binary(b, function, x(0), x(1), y, only(g)).into(),
        Op::Select => pointwise::select(b, x(0), only(g)).into(),
        Op::ToFloat => vec![None],

        Op::Broadcast { .. } => vec![Some(moving::broadcast(b, x(0), only(g)))],
        Op::Reshape { .. } => vec![Some(moving::reshape(b, x(0), only(g)))],
        Op::Transpose { permutation } => vec![Some(moving::transpose(b, &permutation, only(g)))],
        Op::Slice { axis, start, .. } => vec![Some(moving::slice(b, axis, start, x(0), only(g)))],
        Op::Concat { axis } => moving::concat(b, axis, operands, only(g)),
        Op::Reduce { reduction, .. } => vec![Some(moving::reduce(b, reduction, x(0), y, only(g)))],

        Op::MatMul { transpose_a, transpose_b } => {
            joining::matmul(b, x(0), x(1), transpose_a, transpose_b, only(g)).map(Some).into()
        }

        Op::L2Normalize { eps } => vec![Some(norms::l2_normalize(b, eps, x(0), y, only(g)))],
        Op::LayerNorm { eps } => vec![Some(norms::layer_norm(b, eps, x(0), y, only(g)))],
        Op::RmsNorm { eps } => vec![Some(norms::rms_norm(b, eps, x(0), y, only(g)))],
        Op::Softmax => vec![Some(norms::softmax(b, y, only(g)))],

        Op::Embed => vec![None, Some(joining::embed(b, x(0), x(1), only(g)))],
        Op::EmbedBackward { .. } => vec![None, Some(b.add(Op::Embed, &[x(0), only(g)]))],
        Op::OneHot { .. } => vec![None],
        Op::Rope { channels, base, inverse } => {
            vec![Some(b.add(Op::Rope { channels, base, inverse: !inverse }, &[only(g), x(1)])), None]
        }

        Op::Attention { mask, scale } => joining::attention(b, mask, scale, operands, y, only(g)),
        Op::CrossEntropy => vec![Some(joining::cross_entropy(b, operands, y, only(g))), None],
        Op::VocabularyLoss => joining::vocabulary_loss(b, operands, y, only(g)).into(),

        Op::TopK { .. } | Op::ArgMax => vec![None],
        Op::KthLargest => vec![None, None],
        Op::LabelsEqual => vec![None, None],

        op @ (Op::AttentionBackward { .. }
        | Op::CrossEntropyBackward
        | Op::VocabularyLossBackward
        | Op::CachedAttention { .. }
        | Op::CacheWrite) => panic!("bug in tfc: {op:?} stands in no forward pass that is trained"),
    }
}

/// The gradient of the first result. The others are log-sum-exps, saved for backward operations and not part of any loss.
fn only(g: &[Option<Value>]) -> Value {
    match g {
        [Some(first), rest @ ..] if rest.iter().all(Option::is_none) => *first,
        _ => panic!("bug in tfc: a loss depends on a saved log-sum-exp"),
    }
}
