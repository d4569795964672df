//! Composites over the last axis: norms and softmax, of rows that grow and of rows that do not.

use super::because::{Step, rounded};
use super::fact::{Fact, Fresh, Kept};
use super::sums::norm_of_copies;
use super::walk::{Place, Walk};

/// What the fresh part of a row is to an operation over rows.
enum Row {
    /// The last axis does not grow.
    Fixed,
    Zeros,
    Copies {
        ratio: f64,
    },
    Other {
        origin: String,
    },
}

fn row(walk: &Walk, place: &Place) -> Row {
    let (x, last) = (&place.operands[0], place.ty.rank() - 1);
    match walk.growing.ratio(&place.ty.shape[last]) {
        None => Row::Fixed,
        Some(_) if x.is_zero_at(last) => Row::Zeros,
        Some(ratio) if x.copies_at(last) => Row::Copies { ratio },
        Some(_) => Row::Other { origin: x.origin_at(last) },
    }
}

/// x / (‖x‖ + eps)
pub(super) fn l2_normalize(walk: &mut Walk, place: &Place, eps: f64) -> Fact {
    let unit = scale_free(walk, place, eps);
    let kept = match row(walk, place) {
        Row::Fixed => unit,
        Row::Zeros => {
            walk.note(Step::NormSkipsZeros);
            unit
        }
        Row::Copies { ratio } => {
            walk.note(Step::NormOfCopies { copies: rounded(ratio) });
            eps_stays(walk, place, eps);
            let shrunk = norm_of_copies(walk, place, ratio).map(|c| Some(1.0 / c));
            Kept::product(&[&unit, &shrunk])
        }
        Row::Other { origin } => seen(walk, place, "the row norm", &origin),
    };
    rows(walk, place, kept, true)
}

/// (x − mean) / √(variance + eps)
pub(super) fn layer_norm(walk: &mut Walk, place: &Place, eps: f64) -> Fact {
    let kept = moments(walk, place, eps, "the mean and variance of a row");
    rows(walk, place, kept, false)
}

/// x / √(mean of squares + eps)
pub(super) fn rms_norm(walk: &mut Walk, place: &Place, eps: f64) -> Fact {
    let kept = moments(walk, place, eps, "the mean of squares of a row");
    rows(walk, place, kept, true)
}

/// The kept half of what is divided by means over the row.
fn moments(walk: &mut Walk, place: &Place, eps: f64, what: &str) -> Kept {
    let unit = scale_free(walk, place, eps);
    match row(walk, place) {
        Row::Fixed => unit,
        Row::Copies { .. } => {
            walk.note(Step::MomentsOfCopies);
            unit
        }
        Row::Zeros => seen(walk, place, what, "zeros count, too"),
        Row::Other { origin } => seen(walk, place, what, &origin),
    }
}

/// A normalized row does not see a factor, or hardly.
fn scale_free(walk: &mut Walk, place: &Place, eps: f64) -> Kept {
    let x = &place.operands[0].kept;
    if let Kept::Scaled { .. } = x {
        eps_stays(walk, place, eps);
    }
    x.map(|c| (c > 0.0).then_some(1.0))
}

/// What the norm is added to weighs more or less than before beside it.
fn eps_stays(walk: &mut Walk, place: &Place, eps: f64) {
    if eps != 0.0 && walk.small.is_none() {
        walk.small = Some(walk.because(place.id, "the norm of a row changes and eps does not".into()));
    }
}

pub(super) fn softmax(walk: &mut Walk, place: &Place) -> Fact {
    let x = &place.operands[0];
    let unscaled = Kept::opaque(&[&x.kept]);
    let kept = match row(walk, place) {
        Row::Fixed => unscaled,
        Row::Copies { ratio } => {
            let copies = rounded(ratio);
            walk.note(Step::SoftmaxOfCopies { copies });
            let text = format!("softmax shares each weight among {copies} copies and the scale stays");
            Kept::product(&[&unscaled, &Kept::scaled(1.0 / ratio, walk.because(place.id, text))])
        }
        Row::Zeros => Kept::Changed(walk.because(place.id, "exp(0) = 1 under softmax".into())),
        Row::Other { origin } => seen(walk, place, "the sum under softmax", &origin),
    };
    rows(walk, place, kept, false)
}

fn seen(walk: &Walk, place: &Place, what: &str, origin: &str) -> Kept {
    let verb = if what.contains(" and ") { "see" } else { "sees" };
    let why = walk.because(place.id, format!("{what} {verb} the new columns: {origin}"));
    Kept::product(&[&place.operands[0].kept, &Kept::Changed(why)])
}

/// The new slices: copies stay copies; zeros stay zeros along the leading axes if the operation maps zero rows to zero
/// rows, and along the last if it maps zero elements to zero elements, which here is the same thing.
fn rows(walk: &Walk, place: &Place, kept: Kept, zero_to_zero: bool) -> Fact {
    let x = &place.operands[0];
    let fresh = |axis: usize| match x.number_at(axis) {
        Some(0.0) if zero_to_zero => Fresh::Number(0.0, x.origin_at(axis)),
        Some(_) | None if x.copies_at(axis) => Fresh::Copies,
        Some(_) | None => Fresh::Any(x.origin_at(axis)),
    };
    let axes = walk.growing.axes(&place.ty.shape);
    let number = x.number.filter(|value| zero_to_zero && *value == 0.0);
    let fresh = if number.is_some() { Vec::new() } else { axes.into_iter().map(|(a, _)| (a, fresh(a))).collect() };
    Fact { kept, number, fresh }
}
