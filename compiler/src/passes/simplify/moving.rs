//! Moves that move nothing, undo one another, or move a constant.

use super::{constant, make, operand};
use crate::graph::{Builder, Op, Type, Value};
use crate::size::Size;

/// A constant stays one, whatever its shape or type.
pub(super) fn of_constant(b: &mut Builder, x: Value, ty: &Type) -> Option<Value> {
    let number = constant(b, x)?;
    Some(b.constant(number, ty.clone()))
}

pub(super) fn broadcast(b: &mut Builder, x: Value, ty: &Type) -> Option<Value> {
    if b.ty(x) == ty {
        return Some(x);
    }
    if let Op::Broadcast { .. } = b.op(x) {
        let inner = operand(b, x);
        return Some(make(b, Op::Broadcast { shape: ty.shape.clone() }, &[inner]));
    }
    of_constant(b, x, ty)
}

pub(super) fn reshape(b: &mut Builder, x: Value, ty: &Type) -> Option<Value> {
    if b.ty(x) == ty {
        return Some(x);
    }
    if let Op::Reshape { .. } = b.op(x) {
        let inner = operand(b, x);
        return Some(make(b, Op::Reshape { shape: ty.shape.clone() }, &[inner]));
    }
    of_constant(b, x, ty)
}

pub(super) fn transpose(b: &mut Builder, permutation: &[usize], x: Value, ty: &Type) -> Option<Value> {
    if permutation.is_sorted() {
        return Some(x);
    }
    if let Op::Transpose { permutation: before } = b.op(x) {
        let permutation = permutation.iter().map(|axis| before[*axis]).collect();
        let inner = operand(b, x);
        return Some(make(b, Op::Transpose { permutation }, &[inner]));
    }
    of_constant(b, x, ty)
}

pub(super) fn slice(b: &mut Builder, axis: usize, start: &Size, x: Value, ty: &Type) -> Option<Value> {
    if b.ty(x) == ty {
        return Some(x);
    }
    match b.op(x).clone() {
        Op::Slice { axis: before, start: first, .. } if before == axis => {
            let op = Op::Slice { axis, start: first + start.clone(), length: ty.shape[axis].clone() };
            let inner = operand(b, x);
            Some(make(b, op, &[inner]))
        }
        Op::Concat { axis: joined } if joined == axis => part_of_concat(b, axis, start, x, ty),
        _ => of_constant(b, x, ty),
    }
}

/// The part that begins where the slice does, if the slice is just that part.
fn part_of_concat(b: &mut Builder, axis: usize, start: &Size, x: Value, ty: &Type) -> Option<Value> {
    let mut place = Size::default();
    for part in b.graph().operands(x.node) {
        if place == *start && b.ty(part) == ty {
            return Some(part);
        }
        place = place + b.ty(part).shape[axis].clone();
    }
    None
}

pub(super) fn concat(b: &mut Builder, axis: usize, parts: &[Value], ty: &Type) -> Option<Value> {
    if let [part] = parts {
        return Some(*part);
    }
    let numbers: Option<Vec<f64>> = parts.iter().map(|part| constant(b, *part)).collect();
    if numbers.is_some_and(|numbers| numbers.iter().all(|n| n.to_bits() == numbers[0].to_bits())) {
        return of_constant(b, parts[0], ty);
    }
    whole_of_slices(b, axis, parts, ty)
}

/// Slices of one value, put together again.
fn whole_of_slices(b: &Builder, axis: usize, parts: &[Value], ty: &Type) -> Option<Value> {
    let whole = operand_of_slice(b, parts[0])?;
    let mut place = Size::default();
    for part in parts {
        let Op::Slice { axis: cut, start, length } = b.op(*part) else { return None };
        if *cut != axis || *start != place || operand(b, *part) != whole {
            return None;
        }
        place = place + length.clone();
    }
    (b.ty(whole) == ty).then_some(whole)
}

fn operand_of_slice(b: &Builder, x: Value) -> Option<Value> {
    matches!(b.op(x), Op::Slice { .. }).then(|| operand(b, x))
}
