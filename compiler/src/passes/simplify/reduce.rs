//! Reductions over axes of one element, and of constants.

use super::{make, number};
use crate::graph::{Builder, Op, Reduction, Type, Value};
use crate::scalar::Unary;
use crate::size::Size;

pub(super) fn reduce(b: &mut Builder, reduction: Reduction, axes: &[usize], x: Value, ty: &Type) -> Option<Value> {
    if let Some(number) = reduced_number(b, reduction, axes, x) {
        return Some(b.constant(number, ty.clone()));
    }
    let shape = b.ty(x).shape.clone();
    let wide: Vec<usize> = axes.iter().copied().filter(|axis| !shape[*axis].is_one()).collect();
    if wide.len() == axes.len() {
        return None;
    }
    match (wide.is_empty(), reduction) {
        (false, _) => Some(make(b, Op::Reduce { reduction, axes: wide }, &[x])),
        (true, Reduction::Sum | Reduction::Maximum) => Some(x),
        (true, Reduction::L2Norm) => Some(make(b, Op::Unary(Unary::Absolute), &[x])),
    }
}

fn reduced_number(b: &Builder, reduction: Reduction, axes: &[usize], x: Value) -> Option<f64> {
    let number = number(b, x)?;
    let shape = &b.ty(x).shape;
    let count = Size::product(axes.iter().map(|axis| &shape[*axis])).as_constant()? as f64;
    match reduction {
        Reduction::Sum => Some(number * count),
        Reduction::Maximum => (count > 0.0).then_some(number),
        Reduction::L2Norm => Some(number.abs() * count.sqrt()),
    }
}
