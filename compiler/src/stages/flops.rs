//! Floating point operations of a graph's contractions: 2 per multiply-add; everything else is not counted.
//!
//! Attention counts the keys a query may see: (T + 1)/2 on average where it is causal. The count of a forward pass agrees with
//! the formula that papers use for these models; a training step is three forward passes.

use crate::graph::{AttentionMask, Graph, NodeId, Op};
use crate::size::{Size, SizeValues};

/// Of all that one call computes.
pub fn flops(graph: &Graph, sizes: &SizeValues) -> f64 {
    graph.ids().map(|id| node_flops(graph, id, sizes)).sum()
}

/// Of what one call computes for one of its outputs.
pub fn flops_for(graph: &Graph, output: &str, sizes: &SizeValues) -> Option<f64> {
    let wanted = graph.outputs.iter().find(|o| o.name == output)?.value.node;
    let mut needed = vec![false; graph.len()];
    needed[wanted.0 as usize] = true;
    let mut sum = 0.0;
    for id in graph.ids().rev().filter(|id| *id <= wanted) {
        if needed[id.0 as usize] {
            graph.operands(id).iter().for_each(|operand| needed[operand.node.0 as usize] = true);
            sum += node_flops(graph, id, sizes);
        }
    }
    Some(sum)
}

/// Of one node.
pub(crate) fn node_flops(graph: &Graph, id: NodeId, sizes: &SizeValues) -> f64 {
    let operands = graph.operands(id);
    let shape = |i: usize| graph.ty(operands[i]).shape.as_slice();
    let count = |axes: &[Size]| axes.iter().map(|size| size.eval(sizes) as f64).product::<f64>();
    match &graph.node(id).op {
        Op::MatMul { transpose_a, .. } => {
            let a = shape(0);
            let contracted = if *transpose_a { &a[a.len() - 2] } else { &a[a.len() - 1] };
            2.0 * count(&graph.node(id).types[0].shape) * count(std::slice::from_ref(contracted))
        }
        // q·kᵀ and the weights times v, over the channels of every head.
        Op::Attention { mask, .. } => 4.0 * count(shape(0)) * keys_per_query(*mask, count(&shape(1)[1..2])),
        Op::AttentionBackward { mask, .. } => 8.0 * count(shape(0)) * keys_per_query(*mask, count(&shape(1)[1..2])),
        // All of the cache: what is known without the position.
        Op::CachedAttention { .. } => 4.0 * count(shape(0)) * count(&shape(1)[1..2]),
        Op::VocabularyLoss => 2.0 * count(shape(0)) * count(&shape(1)[..1]),
        Op::VocabularyLossBackward => 4.0 * count(shape(0)) * count(&shape(1)[..1]),

        Op::Load(_)
        | Op::Constant(_)
        | Op::SizeOf(_)
        | Op::Iota { .. }
        | Op::Uniform { .. }
        | Op::Unary(_)
        | Op::Binary(_)
        | Op::Select
        | Op::ToFloat
        | Op::Broadcast { .. }
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::Slice { .. }
        | Op::Concat { .. }
        | Op::Reduce { .. }
        | Op::L2Normalize { .. }
        | Op::LayerNorm { .. }
        | Op::RmsNorm { .. }
        | Op::Softmax
        | Op::TopK { .. }
        | Op::KthLargest
        | Op::Embed
        | Op::EmbedBackward { .. }
        | Op::OneHot { .. }
        | Op::Rope { .. }
        | Op::CacheWrite
        | Op::CrossEntropy
        | Op::CrossEntropyBackward
        | Op::ArgMax
        | Op::LabelsEqual => 0.0,
    }
}

/// On average over the positions of a sequence.
fn keys_per_query(mask: AttentionMask, positions: f64) -> f64 {
    match mask {
        AttentionMask::Full => positions,
        AttentionMask::Causal => (positions + 1.0) / 2.0,
        AttentionMask::Window(window) => {
            let window = f64::from(window).min(positions);
            // The first `window` queries see 1, 2, …, the others `window` keys.
            (window * (window + 1.0) / 2.0 + (positions - window) * window) / positions
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_as_wide_as_the_sequence_is_causal() {
        assert_eq!(keys_per_query(AttentionMask::Causal, 8.0), 4.5);
        assert_eq!(keys_per_query(AttentionMask::Window(8), 8.0), 4.5);
        assert_eq!(keys_per_query(AttentionMask::Window(20), 8.0), 4.5);
        assert_eq!(keys_per_query(AttentionMask::Window(1), 8.0), 1.0);
        assert_eq!(keys_per_query(AttentionMask::Window(2), 4.0), (1.0 + 2.0 + 2.0 + 2.0) / 4.0);
    }
}
