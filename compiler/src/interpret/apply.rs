//! Which function computes which operation.

use super::{Tensor, attention, index, layout, loss, matmul, norm, pointwise, reduce, rope, selection};
use crate::graph::{Node, Op};
use crate::size::SizeValues;

/// The results of a node that is no load. `shapes` are those of its results.
pub(super) fn apply(node: &Node, operands: &[&Tensor], shapes: Vec<Vec<usize>>, sizes: &SizeValues) -> Vec<Tensor> {
    let shape = shapes[0].clone();
    let x = |i: usize| operands[i];
    match &node.op {
        Op::Load(_) => unreachable!("a load is not computed"),
        Op::Constant(number) => vec![pointwise::constant(*number, node.types[0].dtype, shape)],
        Op::SizeOf(size) => vec![Tensor::scalar(size.eval(sizes) as f64)],
        Op::Iota { axis } => vec![layout::iota(*axis, shape)],
        Op::Uniform { stream, .. } => vec![pointwise::uniform(x(0), *stream, shape)],
        Op::Unary(function) => vec![pointwise::unary(*function, x(0))],
        Op::Binary(function) => vec![pointwise::binary(*function, x(0), x(1))],
        Op::Select => vec![pointwise::select(x(0), x(1), x(2))],
        Op::ToFloat => vec![pointwise::to_float(x(0))],
        Op::Broadcast { .. } => vec![layout::broadcast(x(0), shape)],
        Op::Reshape { .. } => vec![layout::reshape(x(0), shape)],
        Op::Transpose { permutation } => vec![layout::transpose(x(0), permutation, shape)],
        Op::Slice { axis, start, .. } => vec![layout::slice(x(0), *axis, start.eval(sizes) as usize, shape)],
        Op::Concat { axis } => vec![layout::concat(operands, *axis, shape)],
        Op::Reduce { reduction, axes } => vec![reduce::reduce(*reduction, axes, x(0))],
        Op::MatMul { transpose_a, transpose_b } => {
            vec![matmul::matmul(x(0), x(1), *transpose_a, *transpose_b, shape)]
        }
        Op::L2Normalize { eps } => vec![norm::l2_normalize(x(0), *eps)],
        Op::LayerNorm { eps } => vec![norm::layer_norm(x(0), *eps)],
        Op::RmsNorm { eps } => vec![norm::rms_norm(x(0), *eps)],
        Op::Softmax => vec![norm::softmax(x(0))],
        Op::TopK { k } => vec![selection::top_k(x(0), k.eval(sizes) as usize)],
        Op::KthLargest => vec![selection::kth_largest(x(0), x(1))],
        Op::Embed => vec![index::embed(x(0), x(1), shape)],
        Op::EmbedBackward { .. } => vec![index::embed_backward(x(0), x(1), shape)],
        Op::OneHot { .. } => vec![index::one_hot(x(0), shape)],
        Op::Rope { channels, base, inverse } => vec![rope::rope(x(0), x(1), *channels, *base, *inverse)],
        Op::Attention { mask, scale } => attention::forward(*mask, *scale, operands).into(),
        Op::AttentionBackward { mask, scale } => attention::backward(*mask, *scale, operands).into(),
        Op::CachedAttention { mask, scale } => vec![attention::cached(*mask, *scale, x(0), x(1), x(2), x(3))],
        Op::CacheWrite => vec![attention::cache_write(x(0), x(1), x(2))],
        Op::CrossEntropy => loss::cross_entropy(x(0), x(1)).into(),
        Op::CrossEntropyBackward => vec![loss::cross_entropy_backward(x(0), x(1), x(2), x(3))],
        Op::VocabularyLoss => loss::vocabulary(x(0), x(1), x(2)).into(),
        Op::VocabularyLossBackward => loss::vocabulary_backward(x(0), x(1), x(2), x(3), x(4)).into(),
        Op::ArgMax => vec![index::arg_max(x(0), shape)],
        Op::LabelsEqual => vec![index::labels_equal(x(0), x(1))],
    }
}
