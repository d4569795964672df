//! Reductions and contractions: where new tokens reach what does not grow.

use super::because::{Step, rounded};
use super::fact::{Fact, Fresh, Kept};
use super::walk::{Place, Walk};
use crate::graph::Reduction;

pub(super) fn reduce(walk: &mut Walk, place: &Place, reduction: Reduction, axes: &[usize]) -> Fact {
    let x = &place.operands[0];
    let mut kept = match reduction {
        Reduction::Sum => x.kept.clone(),
        Reduction::Maximum | Reduction::L2Norm => x.kept.map(|c| (c > 0.0).then_some(c)),
    };
    for (axis, ratio) in walk.growing.axes(place.shapes[0]) {
        if axes.contains(&axis) {
            kept = reduced(walk, place, reduction, axis, ratio, kept);
        }
    }
    let remaining = walk.growing.axes(&place.ty.shape);
    let fresh = |axis: usize| match x.number_at(axis) {
        Some(0.0) => Fresh::Number(0.0, x.origin_at(axis)),
        Some(value) if reduction == Reduction::Maximum => Fresh::Number(value, x.origin_at(axis)),
        Some(_) | None if x.copies_at(axis) => Fresh::Copies,
        Some(_) | None => Fresh::Any(x.origin_at(axis)),
    };
    let number = x.number.filter(|value| *value == 0.0 || reduction == Reduction::Maximum);
    let fresh = if number.is_some() { Vec::new() } else { remaining.into_iter().map(|(a, _)| (a, fresh(a))).collect() };
    Fact { kept, number, fresh }
}

/// The kept half after reducing over one growing axis.
fn reduced(walk: &mut Walk, place: &Place, reduction: Reduction, axis: usize, ratio: f64, kept: Kept) -> Kept {
    let x = &place.operands[0];
    let number = x.number_at(axis);
    match reduction {
        Reduction::Sum | Reduction::L2Norm if number == Some(0.0) => {
            walk.note(if reduction == Reduction::Sum { Step::DropsZeros } else { Step::NormSkipsZeros });
            kept
        }
        Reduction::Maximum if x.copies_at(axis) => kept,
        Reduction::Sum if x.copies_at(axis) => {
            let what = if x.number.is_some() { "a sum that counts tokens" } else { "a sum over equal copies" };
            let why = walk.because(place.id, format!("{what} becomes {} times larger", rounded(ratio)));
            Kept::product(&[&kept, &Kept::scaled(ratio, why)])
        }
        Reduction::L2Norm if x.copies_at(axis) => {
            walk.note(Step::NormOfCopies { copies: rounded(ratio) });
            Kept::product(&[&kept, &norm_of_copies(walk, place, ratio)])
        }
        Reduction::Sum | Reduction::L2Norm | Reduction::Maximum => {
            let what = match reduction {
                Reduction::Sum => "sum over a row",
                Reduction::L2Norm => "row norm",
                Reduction::Maximum => "maximum of a row",
            };
            let why = walk.because(place.id, format!("the {what} sees the new columns: {}", x.origin_at(axis)));
            Kept::product(&[&kept, &Kept::Changed(why)])
        }
    }
}

/// The factor on the norm of a row whose every element stands there `copies` times.
pub(super) fn norm_of_copies(walk: &Walk, place: &Place, copies: f64) -> Kept {
    let text = format!("the norm of a row of copies is sqrt({}) times larger and the scale is not", rounded(copies));
    Kept::scaled(copies.sqrt(), walk.because(place.id, text))
}

pub(super) fn matmul(walk: &mut Walk, place: &Place, transpose_a: bool, transpose_b: bool) -> Fact {
    let (a, b) = (&place.operands[0], &place.operands[1]);
    let (rank_a, rank_b) = (place.shapes[0].len(), place.shapes[1].len());
    let (m, k_a) = if transpose_a { (rank_a - 1, rank_a - 2) } else { (rank_a - 2, rank_a - 1) };
    let (k_b, n) = if transpose_b { (rank_b - 1, rank_b - 2) } else { (rank_b - 2, rank_b - 1) };

    let mut kept = Kept::product(&[&a.kept, &b.kept]);
    if let Some(ratio) = walk.growing.ratio(&place.shapes[0][k_a]) {
        kept = contracted(walk, place, (k_a, k_b), ratio);
    }

    let rank = place.ty.rank();
    let mut fresh = Vec::new();
    for (axis, ratio) in walk.growing.axes(&place.ty.shape) {
        // Of leading axes, which both have or only `a`, the slices are products of slices.
        let slice = match axis {
            _ if axis == rank - 1 => product_slice(&[(b, n)]),
            _ if axis == rank - 2 => product_slice(&[(a, m)]),
            _ if rank_b == rank_a => product_slice(&[(a, axis), (b, axis)]),
            _ => product_slice(&[(a, axis)]),
        };
        match slice {
            Fresh::Number(..) if axis == rank - 1 => walk.note(Step::ZeroColumns),
            Fresh::Copies if axis == rank - 1 => walk.note(Step::EqualColumns { copies: rounded(ratio) }),
            Fresh::Number(..) | Fresh::Copies | Fresh::Any(_) => {}
        }
        fresh.push((axis, slice));
    }
    Fact { kept, number: None, fresh }
}

/// A slice of a product: zero if one factor is, copies if all are.
fn product_slice(factors: &[(&Fact, usize)]) -> Fresh {
    if let Some((fact, axis)) = factors.iter().find(|(fact, axis)| fact.is_zero_at(*axis)) {
        return Fresh::Number(0.0, fact.origin_at(*axis));
    }
    match factors.iter().find(|(fact, axis)| !fact.copies_at(*axis)) {
        None => Fresh::Copies,
        Some((fact, axis)) => Fresh::Any(fact.origin_at(*axis)),
    }
}

/// The kept half of a contraction over a growing axis.
fn contracted(walk: &mut Walk, place: &Place, (k_a, k_b): (usize, usize), ratio: f64) -> Kept {
    let (a, b) = (&place.operands[0], &place.operands[1]);
    let both = [&a.kept, &b.kept];
    if a.is_zero_at(k_a) || b.is_zero_at(k_b) {
        walk.note(Step::DropsZeros);
        return Kept::product(&both);
    }
    if a.copies_at(k_a) && b.copies_at(k_b) {
        let copies = rounded(ratio);
        let why = walk.because(place.id, format!("{copies} equal terms are summed and not divided by {copies}"));
        let kept = Kept::product(&[&a.kept, &b.kept, &Kept::scaled(ratio, why)]);
        if kept == Kept::Same {
            walk.note(Step::CopiesAddUp { copies });
        }
        return kept;
    }
    // The first operand is what the tokens were scored by: the number it holds, if any, tells more than the values.
    let origin = if a.copies_at(k_a) { b.origin_at(k_b) } else { a.origin_at(k_a) };
    let why = walk.because(place.id, format!("new tokens add to the result: {origin}"));
    Kept::product(&[&a.kept, &b.kept, &Kept::Changed(why)])
}
