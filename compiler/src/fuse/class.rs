//! What the fuser sees in an operation: one table, one arm an operation.

use crate::graph::{Graph, NodeId, Op, Reduction};
use crate::size::Size;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// In memory already.
    Load,
    /// Made of nothing: recomputed wherever it is used.
    Source,
    /// Moves no element: addressing.
    View,
    /// One result element from the operands' elements at the same place.
    Pointwise,
    /// Written part by part.
    Concat,
    /// Over the last axis: a row program.
    Row,
    /// A sum over all axes before the last ones.
    Columns,
    /// Over one axis before the last: a row program that walks along that axis.
    Middle,
    Contraction,
    /// A kernel of its own on dense operands.
    Opaque,
    /// A piece of the plan made of kernels, in chunks of rows.
    Chunks,
}

pub fn class(graph: &Graph, id: NodeId) -> Class {
    match &graph.node(id).op {
        Op::Load(_) => Class::Load,
        Op::Constant(_) | Op::SizeOf(_) | Op::Iota { .. } | Op::Uniform { .. } => Class::Source,
        Op::Unary(_) | Op::Binary(_) | Op::Select | Op::ToFloat => Class::Pointwise,
        Op::OneHot { .. } | Op::LabelsEqual => Class::Pointwise,
        Op::Broadcast { .. } | Op::Reshape { .. } | Op::Transpose { .. } | Op::Slice { .. } => Class::View,
        Op::Concat { .. } => Class::Concat,
        Op::Reduce { reduction, axes } => {
            let operand = graph.operands(id)[0];
            reduction_class(*reduction, axes, &graph.ty(operand).shape)
                .expect("bug in tfc: a reduction takes several kernels although the graph was prepared")
        }
        Op::ArgMax | Op::KthLargest => Class::Row,
        Op::MatMul { .. } => Class::Contraction,
        Op::Embed | Op::EmbedBackward { .. } | Op::Rope { .. } | Op::CacheWrite => Class::Opaque,
        Op::Attention { .. } | Op::AttentionBackward { .. } | Op::CachedAttention { .. } => Class::Opaque,
        Op::VocabularyLoss | Op::VocabularyLossBackward => Class::Chunks,
        op @ (Op::L2Normalize { .. } | Op::LayerNorm { .. } | Op::RmsNorm { .. } | Op::Softmax) => unexpanded(op),
        op @ (Op::TopK { .. } | Op::CrossEntropy | Op::CrossEntropyBackward) => unexpanded(op),
    }
}

fn unexpanded(op: &Op) -> ! {
    panic!("bug in tfc: {op:?} must be expanded before fusion")
}

/// The axes that are wider than 1.
pub fn wide_axes(shape: &[Size]) -> Vec<usize> {
    (0..shape.len()).filter(|axis| !shape[*axis].is_one()).collect()
}

/// Which kernel does a reduction over these axes of this shape; None if it takes several.
pub fn reduction_class(reduction: Reduction, axes: &[usize], shape: &[Size]) -> Option<Class> {
    let wide = wide_axes(shape);
    let reduced: Vec<usize> = wide.iter().copied().filter(|axis| axes.contains(axis)).collect();
    if reduced.len() == 1 && reduced.last() == wide.last() {
        Some(Class::Row)
    } else if reduction == Reduction::Sum && wide.starts_with(&reduced) && reduced.len() < wide.len() {
        Some(Class::Columns)
    } else {
        (reduced.len() == 1).then_some(Class::Middle)
    }
}
