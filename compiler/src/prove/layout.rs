//! Operations that move elements: a growing axis is followed to where it lands, or lost.

use super::fact::{Fact, Fresh, Kept};
use super::walk::{Place, Walk};
use crate::size::Size;

pub(super) fn broadcast(walk: &Walk, place: &Place) -> Fact {
    let x = &place.operands[0];
    if x.number.is_some() {
        return x.clone();
    }
    let fresh = |axis: usize| x.fresh_at(axis).cloned().unwrap_or(Fresh::Copies);
    let axes = walk.growing.axes(&place.ty.shape);
    Fact { fresh: axes.into_iter().map(|(axis, _)| (axis, fresh(axis))).collect(), ..x.clone() }
}

pub(super) fn reshape(walk: &Walk, place: &Place) -> Fact {
    let (x, from, to) = (&place.operands[0], place.shapes[0], place.ty.shape.as_slice());
    // An axis is where it was if it has the same size and as many elements stand before it.
    let lands = |axis: usize| {
        let before = Size::product(&from[..axis]);
        (0..to.len()).find(|i| to[*i] == from[axis] && Size::product(&to[..*i]) == before)
    };
    if x.number.is_some() {
        return x.clone();
    }
    let growing = walk.growing.axes(from);
    let landed: Option<Vec<usize>> = growing.iter().map(|(axis, _)| lands(*axis)).collect();
    match landed {
        Some(landed) if landed.len() == walk.growing.axes(to).len() => {
            let mut fresh: Vec<(usize, Fresh)> =
                landed.into_iter().zip(x.fresh.iter().map(|(_, fresh)| fresh.clone())).collect();
            fresh.sort_by_key(|(axis, _)| *axis);
            Fact { fresh, ..x.clone() }
        }
        Some(_) | None => walk.lost_fact(place),
    }
}

pub(super) fn transpose(place: &Place, permutation: &[usize]) -> Fact {
    let x = &place.operands[0];
    let moved = |(to, from): (usize, &usize)| Some((to, x.fresh_at(*from)?.clone()));
    Fact { fresh: permutation.iter().enumerate().filter_map(moved).collect(), ..x.clone() }
}

pub(super) fn slice(walk: &Walk, place: &Place, axis: usize, start: &Size, length: &Size) -> Fact {
    let x = &place.operands[0];
    let growing = walk.growing;
    if growing.ratio(&place.shapes[0][axis]).is_none() || x.number.is_some() {
        return x.clone();
    }
    let end = start.clone() + length.clone();
    let fixed = growing.ratio(start).is_none() && growing.ratio(length).is_none();
    if !fixed || end.eval(&growing.old) > place.shapes[0][axis].eval(&growing.old) {
        return walk.lost_fact(place);
    }
    Fact { fresh: x.fresh.iter().filter(|(a, _)| *a != axis).cloned().collect(), ..x.clone() }
}

pub(super) fn concat(walk: &Walk, place: &Place, axis: usize) -> Fact {
    let axes = walk.growing.axes(&place.ty.shape);
    if axes.iter().any(|(a, _)| *a == axis) {
        return walk.lost_fact(place);
    }
    let parts: Vec<&Kept> = place.operands.iter().map(|fact| &fact.kept).collect();
    let fresh = |axis: usize| {
        let first = &place.operands[0];
        let numbers: Vec<Option<f64>> = place.operands.iter().map(|fact| fact.number_at(axis)).collect();
        match numbers[0] {
            Some(value) if numbers.iter().all(|n| *n == Some(value)) => Fresh::Number(value, first.origin_at(axis)),
            Some(_) | None if place.operands.iter().all(|fact| fact.copies_at(axis)) => Fresh::Copies,
            Some(_) | None => Fresh::Any(first.origin_at(axis)),
        }
    };
    Fact {
        kept: Kept::common(&parts),
        number: None,
        fresh: axes.into_iter().map(|(axis, _)| (axis, fresh(axis))).collect(),
    }
}

/// Rows of a table by index; of a table that grows by rows the old ones are looked up.
pub(super) fn embed(place: &Place) -> Fact {
    let (ids, table) = (&place.operands[0], &place.operands[1]);
    let last = place.ty.rank() - 1;
    let fresh = table.fresh_at(1).map(|fresh| (last, fresh.clone()));
    Fact { kept: Kept::product(&[&ids.kept, &table.kept]), number: table.number, fresh: fresh.into_iter().collect() }
}
