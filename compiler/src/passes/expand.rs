//! Writes composites out as reductions, pointwise operations and broadcasts, for the fuser knows only those.

use super::rebuild::rebuild;
use crate::graph::composite::{
    across_row, l2_norm_and_factor, layer_norm_parts, log_sum_exp, over_row, rms_factor, stable_exp,
};
use crate::graph::{Builder, Graph, Op, Reduction, Value};
use crate::scalar::{Binary, Unary};
use crate::size::Size;

pub fn expand(graph: &Graph) -> Graph {
    rebuild(graph, graph.ids(), |b, id, x| match &graph.node(id).op {
        Op::L2Normalize { eps } => Some(vec![l2_normalize(b, x[0], *eps)]),
        Op::LayerNorm { eps } => Some(vec![layer_norm(b, x[0], *eps)]),
        Op::RmsNorm { eps } => Some(vec![rms_norm(b, x[0], *eps)]),
        Op::Softmax => Some(vec![softmax(b, x[0])]),
        Op::TopK { k } => Some(vec![top_k(b, x[0], k)]),
        Op::CrossEntropy => Some(cross_entropy(b, x[0], x[1]).into()),
        Op::CrossEntropyBackward => Some(vec![cross_entropy_backward(b, x[0], x[1], x[2], x[3])]),
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
        | Op::MatMul { .. }
        | Op::KthLargest
        | Op::Embed
        | Op::EmbedBackward { .. }
        | Op::OneHot { .. }
        | Op::Rope { .. }
        | Op::Attention { .. }
        | Op::AttentionBackward { .. }
        | Op::CachedAttention { .. }
        | Op::CacheWrite
        | Op::VocabularyLoss
        | Op::VocabularyLossBackward
        | Op::ArgMax
        | Op::LabelsEqual => None,
    })
}

fn l2_normalize(b: &mut Builder, x: Value, eps: f64) -> Value {
    let (_, factor) = l2_norm_and_factor(b, x, eps);
    times_row(b, x, factor)
}

fn layer_norm(b: &mut Builder, x: Value, eps: f64) -> Value {
    let (centered, factor) = layer_norm_parts(b, x, eps);
    times_row(b, centered, factor)
}

fn rms_norm(b: &mut Builder, x: Value, eps: f64) -> Value {
    let factor = rms_factor(b, x, eps);
    times_row(b, x, factor)
}

fn softmax(b: &mut Builder, x: Value) -> Value {
    let (exp, sum) = stable_exp(b, x);
    let one = b.like(sum, 1.0);
    let factor = b.binary(Binary::Divide, one, sum);
    times_row(b, exp, factor)
}

/// What is above the k-th largest; and of its equals the first, as many as are left to be chosen. NaN is none of them. A row's choice is two numbers, from which the
/// mask is computed wherever it is needed.
fn top_k(b: &mut Builder, x: Value, k: &Size) -> Value {
    let count = b.size_of(k.clone());
    let rows = [&b.ty(x).shape[..b.ty(x).rank() - 1], &[Size::constant(1)]].concat();
    let ones = vec![Size::constant(1); rows.len()];
    let count = b.reshape(count, &ones);
    let count = b.broadcast(count, &rows); // [.., 1]

    let threshold = b.add(Op::KthLargest, &[x, count]); // [.., 1]
    let threshold = across_row(b, threshold, x);
    let above = b.binary(Binary::Less, threshold, x);
    let equal = b.binary(Binary::Equal, threshold, x);

    let (index, never) = (b.iota(rows.len() - 1, b.ty(x).shape.clone()), b.like(x, f64::NEG_INFINITY));
    let place = b.unary(Unary::Negate, index);
    let candidate = b.add(Op::Select, &[equal, place, never]);
    let taken = over_row(b, Reduction::Sum, above);
    let left = b.binary(Binary::Subtract, count, taken);
    let last = b.add(Op::KthLargest, &[candidate, left]); // [.., 1]
    let last = across_row(b, last, x);
    let early = b.binary(Binary::LessOrEqual, last, place);
    b.add(Op::Select, &[equal, early, above])
}

/// (log-sum-exp − the label's logit, log-sum-exp). The label's logit is chosen, not multiplied by 0 and 1: others may be −∞.
fn cross_entropy(b: &mut Builder, logits: Value, labels: Value) -> [Value; 2] {
    let log_sum_exp = log_sum_exp(b, logits);
    let chosen = one_hot(b, logits, labels);
    let zero = b.like(logits, 0.0);
    let chosen = b.add(Op::Select, &[chosen, logits, zero]);
    let logit = over_row(b, Reduction::Sum, chosen);
    [b.binary(Binary::Subtract, log_sum_exp, logit), log_sum_exp]
}

/// (exp(logit − log-sum-exp) − one-hot) · gradient of the row.
fn cross_entropy_backward(b: &mut Builder, logits: Value, labels: Value, log_sum_exp: Value, gradient: Value) -> Value {
    let log_sum_exp = across_row(b, log_sum_exp, logits);
    let log = b.binary(Binary::Subtract, logits, log_sum_exp);
    let probability = b.unary(Unary::Exp, log);
    let label = one_hot(b, logits, labels);
    let difference = b.binary(Binary::Subtract, probability, label);
    times_row(b, difference, gradient)
}

fn one_hot(b: &mut Builder, logits: Value, labels: Value) -> Value {
    let classes = b.ty(logits).shape.last().expect("bug in tfc: logits have an axis of classes").clone();
    b.add(Op::OneHot { classes }, &[labels])
}

/// Each row times its number.
fn times_row(b: &mut Builder, x: Value, factor: Value) -> Value {
    let factor = across_row(b, factor, x);
    b.multiply(x, factor)
}
