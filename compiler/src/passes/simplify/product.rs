//! Transpositions of a matrix product's operands, which the product does itself.

use super::{make, operand};
use crate::graph::{Builder, Op, Value};

pub(super) fn matmul(
    b: &mut Builder,
    left: Value,
    right: Value,
    transpose_a: bool,
    transpose_b: bool,
) -> Option<Value> {
    let [turned_a, turned_b] = [left, right].map(|x| swaps_last_axes(b, x));
    if !turned_a && !turned_b {
        return None;
    }
    let untransposed = |x: Value, turned: bool| if turned { operand(b, x) } else { x };
    let operands = [untransposed(left, turned_a), untransposed(right, turned_b)];
    Some(make(b, Op::MatMul { transpose_a: transpose_a != turned_a, transpose_b: transpose_b != turned_b }, &operands))
}

fn swaps_last_axes(b: &Builder, x: Value) -> bool {
    let Op::Transpose { permutation } = b.op(x) else { return false };
    let rank = permutation.len();
    let swapped = |axis: usize| match rank - axis {
        1 => rank - 2,
        2 => rank - 1,
        _ => axis,
    };
    rank >= 2 && permutation.iter().copied().eq((0..rank).map(swapped))
}
