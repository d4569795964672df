//! Which sign the numbers of a value have, whatever the data are.

use crate::graph::{Graph, NodeId, Op, Reduction, Value};
use crate::scalar::{Binary, Unary};
use crate::storage::Storage;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    NeverNegative,
    /// Both occur: for a product with a parameter, whose rows may be anything.
    Either,
    Unknown,
}

pub(super) fn sign(graph: &Graph, value: Value) -> Sign {
    // In order, so that what several take is looked at once.
    let mut known: Vec<Sign> = Vec::new();
    for node in graph.ids().take(value.node.0 as usize + 1) {
        known.push(made(graph, node, &known));
    }
    known[value.node.0 as usize]
}

/// The sign of what a node makes of operands that are known.
fn made(graph: &Graph, node: NodeId, known: &[Sign]) -> Sign {
    let operands = graph.operands(node);
    let of = |i: usize| known[operands[i].node.0 as usize];
    let never_negative = |all: &[usize]| {
        let none_is = all.iter().all(|i| of(*i) == Sign::NeverNegative);
        if none_is { Sign::NeverNegative } else { Sign::Unknown }
    };
    match &graph.node(node).op {
        Op::Unary(function) => match function {
            Unary::Absolute | Unary::Exp | Unary::Sqrt | Unary::Relu | Unary::Sigmoid => Sign::NeverNegative,
            Unary::Negate => match of(0) {
                Sign::Either => Sign::Either,
                Sign::NeverNegative | Sign::Unknown => Sign::Unknown,
            },
            Unary::ReciprocalOrZero | Unary::Tanh => of(0),
            Unary::Log
            | Unary::Gelu
            | Unary::GeluDerivative
            | Unary::GeluTanh
            | Unary::GeluTanhDerivative
            | Unary::Silu
            | Unary::SiluDerivative
            | Unary::Floor => Sign::Unknown,
        },
        Op::Binary(function) => match function {
            Binary::Less | Binary::LessOrEqual | Binary::Equal => Sign::NeverNegative,
            Binary::Multiply if operands[0] == operands[1] => Sign::NeverNegative,
            Binary::Add | Binary::Multiply | Binary::Divide | Binary::Minimum => never_negative(&[0, 1]),
            Binary::Subtract | Binary::Power | Binary::Maximum => Sign::Unknown,
        },
        Op::Constant(number) if *number >= 0.0 => Sign::NeverNegative,
        Op::SizeOf(_)
        | Op::Iota { .. }
        | Op::Uniform { .. }
        | Op::Softmax
        | Op::TopK { .. }
        | Op::OneHot { .. }
        | Op::LabelsEqual => Sign::NeverNegative,
        Op::Reduce { reduction: Reduction::L2Norm, .. } => Sign::NeverNegative,
        Op::Reduce { reduction: Reduction::Sum | Reduction::Maximum, .. } => never_negative(&[0]),
        Op::Broadcast { .. }
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::L2Normalize { .. }
        | Op::RmsNorm { .. } => of(0),
        // Rows of parameters may point anywhere.
        Op::MatMul { .. } => match never_negative(&[0, 1]) {
            Sign::Unknown if operands.iter().any(|operand| is_parameter(graph, *operand)) => Sign::Either,
            sign => sign,
        },
        Op::Load(_)
        | Op::Constant(_)
        | Op::Select
        | Op::ToFloat
        | Op::Slice { .. }
        | Op::Concat { .. }
        | Op::LayerNorm { .. }
        | Op::KthLargest
        | Op::Embed
        | Op::EmbedBackward { .. }
        | Op::Rope { .. }
        | Op::Attention { .. }
        | Op::AttentionBackward { .. }
        | Op::CachedAttention { .. }
        | Op::CacheWrite
        | Op::CrossEntropy
        | Op::CrossEntropyBackward
        | Op::VocabularyLoss
        | Op::VocabularyLossBackward
        | Op::ArgMax => Sign::Unknown,
    }
}

fn is_parameter(graph: &Graph, value: Value) -> bool {
    if let Op::Transpose { .. } = graph.op(value) {
        return is_parameter(graph, graph.operands(value.node)[0]);
    }
    matches!(graph.op(value), Op::Load(Storage::Parameter(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Builder, Type};
    use crate::size::{Size, Symbols};

    /// Each of two hundred doublings takes the one before twice.
    #[test]
    fn what_several_take_is_looked_at_once() {
        let mut b = Builder::new("evaluate", Symbols::default());
        let x = b.input("x", Type::f32(vec![Size::constant(4)]));
        let mut sum = b.unary(Unary::Relu, x);
        for _ in 0..200 {
            sum = b.binary(Binary::Add, sum, sum);
        }
        b.output("sum", sum);
        let graph = b.finish();
        assert_eq!([sign(&graph, x), sign(&graph, sum)], [Sign::Unknown, Sign::NeverNegative]);
    }
}
