//! Pointwise operations: the kept half by how the function treats factors, the fresh half element by element.

use super::because::Step;
use super::fact::{Fact, Fresh, Kept};
use super::walk::{Place, Walk};
use crate::scalar::{Binary, Unary};

pub(super) fn unary(walk: &mut Walk, place: &Place, function: Unary) -> Fact {
    let [x] = place.operands.as_slice() else { return walk.lost_fact(place) };
    if let Some(value) = x.number {
        return Fact { number: Some(function.eval(value)), ..x.clone() };
    }
    let mut fresh = Vec::new();
    for (axis, old) in &x.fresh {
        let new = match old {
            Fresh::Number(value, origin) => unary_of_number(walk, function, *value, origin),
            Fresh::Copies => Fresh::Copies,
            Fresh::Any(origin) => Fresh::Any(origin.clone()),
        };
        fresh.push((*axis, new));
    }
    Fact { kept: x.kept.map(|factor| unary_factor(function, factor)), number: None, fresh }
}

fn unary_of_number(walk: &mut Walk, function: Unary, value: f64, origin: &str) -> Fresh {
    let result = function.eval(value);
    if !result.is_finite() {
        return Fresh::Any(format!("{}({value}) is not finite", function.name()));
    }
    if result == value {
        if value == 0.0 && unary_factor(function, 2.0).is_none() {
            walk.note(Step::VanishesAtZero(function));
        }
        return Fresh::Number(result, origin.into());
    }
    Fresh::Number(result, format!("{}({value}) = {result}", function.name()))
}

/// f(c·x) = c′·f(x) for every x: c′, if there is one.
fn unary_factor(function: Unary, c: f64) -> Option<f64> {
    match function {
        Unary::Negate => Some(c),
        Unary::Absolute => Some(c.abs()),
        Unary::Relu => (c > 0.0).then_some(c),
        Unary::Sqrt => (c > 0.0).then_some(c.sqrt()),
        Unary::ReciprocalOrZero => (c != 0.0).then_some(1.0 / c),
        Unary::Exp
        | Unary::Log
        | Unary::Gelu
        | Unary::GeluDerivative
        | Unary::GeluTanh
        | Unary::GeluTanhDerivative
        | Unary::Silu
        | Unary::SiluDerivative
        | Unary::Tanh
        | Unary::Sigmoid
        | Unary::Floor => None,
    }
}

pub(super) fn binary(walk: &Walk, place: &Place, function: Binary) -> Fact {
    let [a, b] = place.operands.as_slice() else { return walk.lost_fact(place) };
    if let (Some(x), Some(y)) = (a.number, b.number) {
        return Fact::number(function.eval(x, y));
    }
    if function == Binary::Multiply && (a.number == Some(0.0) || b.number == Some(0.0)) {
        return Fact::number(0.0);
    }
    let axes = walk.growing.axes(&place.ty.shape);
    let fresh = axes.into_iter().map(|(axis, _)| (axis, binary_fresh(function, a, b, axis))).collect();
    Fact { kept: binary_kept(function, a, b), number: None, fresh }
}

fn binary_kept(function: Binary, a: &Fact, b: &Fact) -> Kept {
    let parts = [&a.kept, &b.kept];
    match function {
        // A factor of zero is zero, a term of zero adds nothing.
        Binary::Add | Binary::Subtract if b.number == Some(0.0) => a.kept.clone(),
        Binary::Add | Binary::Subtract if a.number == Some(0.0) => b.kept.clone(),
        Binary::Add | Binary::Subtract => Kept::common(&parts),
        Binary::Multiply => Kept::product(&parts),
        Binary::Divide => Kept::product(&[&a.kept, &b.kept.map(|c| (c != 0.0).then_some(1.0 / c))]),
        Binary::Power => match b.number {
            Some(exponent) => a.kept.map(|c| (c > 0.0).then(|| c.powf(exponent))),
            None => Kept::opaque(&parts),
        },
        Binary::Maximum | Binary::Minimum => positive(common_or_zero(a, b), &parts),
        // What is compared may carry a common factor.
        Binary::Less | Binary::LessOrEqual | Binary::Equal => positive(common_or_zero(a, b), &parts).map(|_| Some(1.0)),
    }
}

/// The common factor, where zero has every factor.
fn common_or_zero(a: &Fact, b: &Fact) -> Kept {
    match (a.number == Some(0.0), b.number == Some(0.0)) {
        (true, _) => b.kept.clone(),
        (_, true) => a.kept.clone(),
        (false, false) => Kept::common(&[&a.kept, &b.kept]),
    }
}

fn positive(kept: Kept, parts: &[&Kept]) -> Kept {
    match kept {
        Kept::Scaled { factor, .. } if factor <= 0.0 => Kept::opaque(parts),
        Kept::Same | Kept::Scaled { .. } | Kept::Changed(_) => kept,
    }
}

fn binary_fresh(function: Binary, a: &Fact, b: &Fact, axis: usize) -> Fresh {
    let zero = |fact: &Fact| fact.is_zero_at(axis);
    // The origin of the operand that is no constant says more.
    let (telling, other) = if a.number.is_some() { (b, a) } else { (a, b) };
    if let (Some(x), Some(y)) = (a.number_at(axis), b.number_at(axis)) {
        let result = function.eval(x, y);
        let origin = telling.origin_at(axis);
        return if result.is_finite() { Fresh::Number(result, origin) } else { Fresh::Any(origin) };
    }
    if a.copies_at(axis) && b.copies_at(axis) {
        return Fresh::Copies;
    }
    let zero_operand = match function {
        Binary::Multiply if zero(a) => Some(a),
        Binary::Multiply if zero(b) => Some(b),
        Binary::Divide if zero(a) && !zero(b) => Some(a),
        Binary::Multiply
        | Binary::Divide
        | Binary::Add
        | Binary::Subtract
        | Binary::Power
        | Binary::Maximum
        | Binary::Minimum
        | Binary::Less
        | Binary::LessOrEqual
        | Binary::Equal => None,
    };
    match zero_operand {
        Some(operand) => Fresh::Number(0.0, operand.origin_at(axis)),
        None => match telling.fresh_at(axis) {
            Some(Fresh::Any(origin)) => Fresh::Any(origin.clone()),
            Some(Fresh::Number(..) | Fresh::Copies) | None => Fresh::Any(other.origin_at(axis)),
        },
    }
}

pub(super) fn select(walk: &Walk, place: &Place) -> Fact {
    let [condition, a, b] = place.operands.as_slice() else { return walk.lost_fact(place) };
    let chosen = match condition.number {
        Some(0.0) => Kept::common(&[&b.kept]),
        Some(_) => Kept::common(&[&a.kept]),
        // Whether the condition is zero does not depend on a factor.
        None => Kept::product(&[&condition.kept.map(|_| Some(1.0)), &common_or_zero(a, b)]),
    };
    let fresh = |axis| match (condition.number_at(axis), a.number_at(axis), b.number_at(axis)) {
        (Some(0.0), _, _) => slice_of(b, axis),
        (Some(_), _, _) => slice_of(a, axis),
        (None, Some(x), Some(y)) if x == y => Fresh::Number(x, a.origin_at(axis)),
        (None, _, _) if place.operands.iter().all(|fact| fact.copies_at(axis)) => Fresh::Copies,
        (None, _, _) => Fresh::Any(condition.origin_at(axis)),
    };
    let axes = walk.growing.axes(&place.ty.shape);
    Fact { kept: chosen, number: None, fresh: axes.into_iter().map(|(axis, _)| (axis, fresh(axis))).collect() }
}

fn slice_of(fact: &Fact, axis: usize) -> Fresh {
    match (fact.number, fact.fresh_at(axis)) {
        (Some(value), _) => Fresh::Number(value, fact.origin_at(axis)),
        (None, Some(fresh)) => fresh.clone(),
        (None, None) => Fresh::Any(fact.origin_at(axis)),
    }
}
