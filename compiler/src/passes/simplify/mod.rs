//! Replaces an operation by a simpler one with the same result, operands first, so that one walk is enough.
//!
//! What is assumed: the sign of a zero does not matter, and constants may be folded in f64. Everything else is kept for all
//! operands: 0·x and x − x are not folded, for x may be infinite or NaN, and nothing is reassociated.

mod moving;
mod pointwise;
mod product;
mod reduce;

use super::rebuild::rebuild;
use crate::graph::{Builder, DType, Graph, Op, Type, Value, infer};

pub(super) fn simplify(graph: &Graph) -> Graph {
    rebuild(graph, graph.ids(), |b, id, operands| {
        let node = graph.node(id);
        simpler(b, &node.op, operands, &node.types[0]).map(|value| vec![value])
    })
}

/// Applies an operation in its simplest form.
fn make(b: &mut Builder, op: Op, operands: &[Value]) -> Value {
    let types: Vec<&Type> = operands.iter().map(|v| b.ty(*v)).collect();
    let types = infer(&op, &types).unwrap_or_else(|why| panic!("bug in tfc: {op:?} cannot be applied: {why}"));
    simpler(b, &op, operands, &types[0]).unwrap_or_else(|| b.add(op, operands))
}

/// A value that equals the operation's result, of type `ty`; None if the operation is as simple as it gets.
fn simpler(b: &mut Builder, op: &Op, x: &[Value], ty: &Type) -> Option<Value> {
    match op {
        Op::Unary(function) => pointwise::unary(b, *function, x[0]),
        Op::Binary(function) => pointwise::binary(b, *function, x[0], x[1]),
        Op::Select => pointwise::select(b, x[0], x[1], x[2]),
        Op::ToFloat => moving::of_constant(b, x[0], ty),
        Op::Broadcast { .. } => moving::broadcast(b, x[0], ty),
        Op::Reshape { .. } => moving::reshape(b, x[0], ty),
        Op::Transpose { permutation } => moving::transpose(b, permutation, x[0], ty),
        Op::Slice { axis, start, .. } => moving::slice(b, *axis, start, x[0], ty),
        Op::Concat { axis } => moving::concat(b, *axis, x, ty),
        Op::Reduce { reduction, axes } => reduce::reduce(b, *reduction, axes, x[0], ty),
        Op::MatMul { transpose_a, transpose_b } => product::matmul(b, x[0], x[1], *transpose_a, *transpose_b),
        Op::Load(_)
        | Op::Constant(_)
        | Op::SizeOf(_)
        | Op::Iota { .. }
        | Op::Uniform { .. }
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
        | Op::Attention { .. }
        | Op::AttentionBackward { .. }
        | Op::CachedAttention { .. }
        | Op::CacheWrite
        | Op::CrossEntropy
        | Op::CrossEntropyBackward
        | Op::VocabularyLoss
        | Op::VocabularyLossBackward
        | Op::ArgMax
        | Op::LabelsEqual => None,
    }
}

/// The number that every element of a value is.
fn constant(b: &Builder, x: Value) -> Option<f64> {
    match b.op(x) {
        Op::Constant(number) => Some(*number),
        _ => None,
    }
}

/// The same of an f32 value.
fn number(b: &Builder, x: Value) -> Option<f64> {
    constant(b, x).filter(|_| b.ty(x).dtype == DType::F32)
}

fn operand(b: &Builder, x: Value) -> Value {
    b.graph().operands(x.node)[0]
}
