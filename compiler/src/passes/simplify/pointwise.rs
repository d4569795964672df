//! Numbers that change nothing, negations that meet, constants, and what is the same along an axis and so is computed once.

use super::{make, number, operand};
use crate::graph::{Builder, Op, Value};
use crate::scalar::{Binary, Unary};

pub(super) fn unary(b: &mut Builder, function: Unary, x: Value) -> Option<Value> {
    if let Some(number) = number(b, x) {
        return Some(b.like(x, function.eval(number)));
    }
    if function == Unary::Negate && is_negation(b, x) {
        return Some(operand(b, x));
    }
    before_broadcast(b, &Op::Unary(function), &[x])
}

pub(super) fn binary(b: &mut Builder, function: Binary, x: Value, y: Value) -> Option<Value> {
    let simpler = match (number(b, x), number(b, y)) {
        (Some(left), Some(right)) => Some(b.like(x, function.eval(left, right))),
        (Some(left), None) => with_left_number(b, function, left, y),
        (None, Some(right)) => with_right_number(b, function, x, right),
        (None, None) => without_negation(b, function, x, y),
    };
    simpler.or_else(|| before_broadcast(b, &Op::Binary(function), &[x, y]))
}

pub(super) fn select(b: &mut Builder, condition: Value, x: Value, y: Value) -> Option<Value> {
    match number(b, condition) {
        Some(number) => Some(if number != 0.0 { x } else { y }),
        None if x == y => Some(x),
        None => before_broadcast(b, &Op::Select, &[condition, x, y]),
    }
}

fn with_left_number(b: &mut Builder, function: Binary, left: f64, y: Value) -> Option<Value> {
    match (function, left) {
        (Binary::Add, 0.0) | (Binary::Multiply, 1.0) => Some(y),
        (Binary::Subtract, 0.0) | (Binary::Multiply, -1.0) => Some(make(b, Op::Unary(Unary::Negate), &[y])),
        _ => None,
    }
}

fn with_right_number(b: &mut Builder, function: Binary, x: Value, right: f64) -> Option<Value> {
    match (function, right) {
        (Binary::Add | Binary::Subtract, 0.0) => Some(x),
        (Binary::Multiply | Binary::Divide | Binary::Power, 1.0) => Some(x),
        (Binary::Multiply | Binary::Divide, -1.0) => Some(make(b, Op::Unary(Unary::Negate), &[x])),
        (Binary::Divide, divisor) if is_power_of_two(divisor) => {
            let factor = b.like(x, 1.0 / divisor);
            Some(make(b, Op::Binary(Binary::Multiply), &[x, factor]))
        }
        (Binary::Power, 0.0) => Some(b.like(x, 1.0)),
        (Binary::Power, 2.0) => Some(make(b, Op::Binary(Binary::Multiply), &[x, x])),
        _ => None,
    }
}

/// Division by it is multiplication by its reciprocal, exactly, in f32 as well as in f64.
fn is_power_of_two(number: f64) -> bool {
    let exponent = number.abs().log2();
    exponent.fract() == 0.0 && exponent.abs() <= 126.0
}

fn without_negation(b: &mut Builder, function: Binary, x: Value, y: Value) -> Option<Value> {
    let [left, right] = [x, y].map(|v| is_negation(b, v).then(|| operand(b, v)));
    let (function, left, right) = match (function, left, right) {
        (Binary::Add, _, Some(right)) => (Binary::Subtract, x, right),
        (Binary::Add, Some(left), _) => (Binary::Subtract, y, left),
        (Binary::Subtract, _, Some(right)) => (Binary::Add, x, right),
        (Binary::Multiply | Binary::Divide, Some(left), Some(right)) => (function, left, right),
        (Binary::Maximum | Binary::Minimum, _, _) if x == y => return Some(x),
        _ => return None,
    };
    Some(make(b, Op::Binary(function), &[left, right]))
}

fn is_negation(b: &Builder, x: Value) -> bool {
    *b.op(x) == Op::Unary(Unary::Negate)
}

/// f(broadcast x, broadcast y, number) is the broadcast of f(x, y, number).
fn before_broadcast(b: &mut Builder, op: &Op, operands: &[Value]) -> Option<Value> {
    let source = |v: &Value| matches!(b.op(*v), Op::Broadcast { .. }).then(|| operand(b, *v));
    let first = operands.iter().find_map(source)?;
    let (small, large) = (b.ty(first).clone(), b.ty(operands[0]).clone());
    let fits = |v: &Value| number(b, *v).is_some() || source(v).is_some_and(|s| *b.ty(s) == small);
    if !operands.iter().all(fits) {
        return None;
    }
    let mut shrink = |v: &Value| match number(b, *v) {
        Some(number) => b.constant(number, small.clone()),
        None => operand(b, *v),
    };
    let operands: Vec<Value> = operands.iter().map(&mut shrink).collect();
    let result = make(b, op.clone(), &operands);
    Some(make(b, Op::Broadcast { shape: large.shape }, &[result]))
}
