//! Gradients of the operations that join tensors of different kinds: products of matrices, tables, attention, losses.

use crate::graph::{AttentionMask, Builder, Op, Value};
use crate::size::Size;

/// Gradients of a and b in op(a)·op(b): g·op(b)ᵀ and op(a)ᵀ·g, each transposed where the operand was. A matrix that all leading
/// axes share is one product over all their rows.
pub(super) fn matmul(
    b: &mut Builder,
    left: Value,
    right: Value,
    transpose_a: bool,
    transpose_b: bool,
    g: Value,
) -> [Value; 2] {
    let shared = b.ty(left).rank() > b.ty(right).rank();
    let d_left = match (transpose_a, shared) {
        (false, _) => product(b, (g, false), (right, !transpose_b)),
        (true, false) => product(b, (right, transpose_b), (g, true)),
        (true, true) => {
            let untransposed = product(b, (g, false), (right, !transpose_b));
            swap_last(b, untransposed)
        }
    };
    let (left, transpose_a, g) = match (transpose_a, shared) {
        (_, false) => (left, transpose_a, g),
        (false, true) => (rows(b, left), false, rows(b, g)),
        (true, true) => {
            let untransposed = swap_last(b, left);
            (rows(b, untransposed), false, rows(b, g))
        }
    };
    let d_right = match transpose_b {
        false => product(b, (left, !transpose_a), (g, false)),
        true => product(b, (g, true), (left, transpose_a)),
    };
    [d_left, d_right]
}

/// a·b, each with whether it is transposed.
fn product(b: &mut Builder, (left, transpose_a): (Value, bool), (right, transpose_b): (Value, bool)) -> Value {
    b.add(Op::MatMul { transpose_a, transpose_b }, &[left, right])
}

fn swap_last(b: &mut Builder, x: Value) -> Value {
    let rank = b.ty(x).rank();
    let mut permutation: Vec<usize> = (0..rank).collect();
    permutation.swap(rank - 2, rank - 1);
    b.add(Op::Transpose { permutation }, &[x])
}

/// All rows under one another: `[.., M, K]` to `[.. · M, K]`.
fn rows(b: &mut Builder, x: Value) -> Value {
    let (width, outer) = b.ty(x).shape.split_last().expect("bug in tfc: a matrix has axes");
    let shape = [Size::product(outer), width.clone()];
    b.reshape(x, &shape)
}

pub(super) fn embed(b: &mut Builder, ids: Value, table: Value, g: Value) -> Value {
    let classes = b.ty(table).shape[0].clone();
    b.add(Op::EmbedBackward { classes }, &[ids, g])
}

pub(super) fn attention(
    b: &mut Builder,
    mask: AttentionMask,
    scale: f64,
    operands: &[Value],
    out: Value,
    g: Value,
) -> Vec<Option<Value>> {
    let log_sum_exp = b.result(out, 1);
    let (qkv, positions) = operands.split_at(3);
    let operands = [qkv, &[out, log_sum_exp, g], positions].concat();
    let d_q = b.add(Op::AttentionBackward { mask, scale }, &operands);
    let gradients = (0..3).map(|i| Some(b.result(d_q, i)));
    gradients.chain(positions.iter().map(|_| None)).collect()
}

pub(super) fn cross_entropy(b: &mut Builder, operands: &[Value], loss: Value, g: Value) -> Value {
    let log_sum_exp = b.result(loss, 1);
    b.add(Op::CrossEntropyBackward, &[operands[0], operands[1], log_sum_exp, g])
}

pub(super) fn vocabulary_loss(b: &mut Builder, operands: &[Value], loss: Value, g: Value) -> [Option<Value>; 3] {
    let log_sum_exp = b.result(loss, 1);
    let d_h = b.add(Op::VocabularyLossBackward, &[operands[0], operands[1], operands[2], log_sum_exp, g]);
    [Some(d_h), Some(b.result(d_h, 1)), None]
}
