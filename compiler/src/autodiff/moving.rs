//! Gradients of the operations that move elements, and of reductions: what was repeated is summed, what was summed is repeated.

use crate::graph::{Builder, Op, Reduction, Value};
use crate::scalar::{Binary, Unary};
use crate::size::Size;

pub(super) fn broadcast(b: &mut Builder, x: Value, g: Value) -> Value {
    let [from, to] = [x, g].map(|v| b.ty(v).shape.clone());
    let repeated: Vec<usize> = (0..from.len()).filter(|axis| from[*axis] != to[*axis]).collect();
    b.reduce(Reduction::Sum, &repeated, g)
}

pub(super) fn reshape(b: &mut Builder, x: Value, g: Value) -> Value {
    let shape = b.ty(x).shape.clone();
    b.reshape(g, &shape)
}

pub(super) fn transpose(b: &mut Builder, permutation: &[usize], g: Value) -> Value {
    let mut inverse = vec![0; permutation.len()];
    permutation.iter().enumerate().for_each(|(to, from)| inverse[*from] = to);
    b.add(Op::Transpose { permutation: inverse }, &[g])
}

/// Zeros before and after.
pub(super) fn slice(b: &mut Builder, axis: usize, start: Size, x: Value, g: Value) -> Value {
    let [whole, part] = [x, g].map(|v| b.ty(v).shape[axis].clone());
    let after = whole - part - start.clone();
    let mut zeros = |length: Size| {
        let mut ty = b.ty(g).clone();
        ty.shape[axis] = length.clone();
        (length != Size::default()).then(|| b.constant(0.0, ty))
    };
    let parts: Vec<Value> = [zeros(start), Some(g), zeros(after)].into_iter().flatten().collect();
    if parts.len() == 1 { g } else { b.add(Op::Concat { axis }, &parts) }
}

pub(super) fn concat(b: &mut Builder, axis: usize, operands: &[Value], g: Value) -> Vec<Option<Value>> {
    let mut start = Size::default();
    let mut part = |operand: &Value| {
        let length = b.ty(*operand).shape[axis].clone();
        let op = Op::Slice { axis, start: start.clone(), length: length.clone() };
        start = start.clone() + length;
        Some(b.add(op, &[g]))
    };
    operands.iter().map(&mut part).collect()
}

pub(super) fn reduce(b: &mut Builder, reduction: Reduction, x: Value, y: Value, g: Value) -> Value {
    let shape = b.ty(x).shape.clone();
    match reduction {
        Reduction::Sum => b.broadcast(g, &shape),
        Reduction::Maximum => maximum(b, &shape, x, y, g),
        Reduction::L2Norm => l2_norm(b, &shape, x, y, g),
    }
}

/// The largest elements share the gradient equally.
fn maximum(b: &mut Builder, shape: &[Size], x: Value, y: Value, g: Value) -> Value {
    let repeated = b.broadcast(y, shape);
    let largest = b.binary(Binary::Equal, x, repeated);
    let [from, to] = [x, y].map(|v| b.ty(v).shape.clone());
    let reduced: Vec<usize> = (0..from.len()).filter(|axis| from[*axis] != to[*axis]).collect();
    let count = b.reduce(Reduction::Sum, &reduced, largest);
    let share = b.binary(Binary::Divide, g, count);
    let share = b.broadcast(share, shape);
    b.multiply(share, largest)
}

/// g · x/‖x‖, 0 for a zero row.
fn l2_norm(b: &mut Builder, shape: &[Size], x: Value, y: Value, g: Value) -> Value {
    let inverse = b.unary(Unary::ReciprocalOrZero, y);
    let inverse = b.broadcast(inverse, shape);
    let direction = b.multiply(x, inverse);
    let g = b.broadcast(g, shape);
    b.multiply(g, direction)
}
