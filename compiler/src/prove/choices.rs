//! What growth does to the choice of the k largest of a row.

use super::because::Step;
use super::fact::{Fact, Fresh, Kept, Reason};
use super::sign::{Sign, sign};
use super::walk::{Place, Walk};
use crate::graph::Value;
use crate::size::Size;

/// A mask of 0 and 1: 1 at the k largest, of equals at the first. Old columns of a token group stand before new ones, so new columns take nothing from old ones that are as
/// large at least.
pub(super) fn top_k(walk: &mut Walk, place: &Place, scores: Value, k: &Size) -> Fact {
    let (x, last) = (&place.operands[0], place.ty.rank() - 1);
    let row = &place.ty.shape[last];
    let [[k_before, k_after], [before, after]] =
        [k, row].map(|size| [size.eval(&walk.growing.old), size.eval(&walk.growing.new)]);
    if k_before == before && k_after == after {
        return Fact::number(1.0);
    }
    // Order is all that counts.
    let same_order = x.kept.map(|factor| (factor > 0.0).then_some(1.0));
    let copied = before != after && x.number.is_none() && x.copies_at(last);
    // New columns of a sum of sizes stand between old ones.
    let at_the_end = row.as_symbol().is_some();
    let keeps_old = match x.number_at(last).filter(|_| at_the_end) {
        Some(new) => x.number.is_some() || (new <= 0.0 && sign(walk.graph, scores) == Sign::NeverNegative),
        None => false,
    };
    let lost = |text: String, proven: bool| Kept::Changed(Reason { proven, ..walk.because(place.id, text) });
    let copies_alike = copied && k_before * after == k_after * before;
    let choice = if copies_alike {
        lost("top_k chooses equal scores by their place, and copies are equal".into(), false)
    } else if k_before != k_after {
        // Where everything was chosen, more of what has no effect may be.
        lost(format!("top_k chooses {k_after}, no longer {k_before}"), k_before < before)
    } else if before == after || keeps_old {
        Kept::Same
    } else if copied {
        lost(format!("top_k chooses {k_after} among copies, too"), true)
    } else {
        sees_new(walk, place, scores)
    };
    if keeps_old && before != after && choice == Kept::Same {
        walk.note(Step::ChoosesFirst);
    }
    let never_new = keeps_old && k_after <= before;
    let fresh = |axis: usize| match axis == last {
        true if never_new => Fresh::Number(0.0, "top_k leaves new columns out".into()),
        // But for other scores that are equal, where the choice ends.
        true if copies_alike => Fresh::Copies,
        true => Fresh::Any("top_k may choose new columns".into()),
        // Equal rows are masked alike.
        false if x.copies_at(axis) => Fresh::Copies,
        false => Fresh::Any(x.origin_at(axis)),
    };
    let axes = walk.growing.axes(&place.ty.shape);
    let fresh = axes.into_iter().map(|(axis, _)| (axis, fresh(axis))).collect();
    Fact { kept: Kept::product(&[&same_order, &choice]), number: None, fresh }
}

/// New columns that may be chosen instead of old ones. It is a fact that some are where they are anything, or above scores below zero.
fn sees_new(walk: &Walk, place: &Place, scores: Value) -> Kept {
    let (x, last) = (&place.operands[0], place.ty.rank() - 1);
    let origin = x.origin_at(last);
    let (text, proven) = match x.number_at(last) {
        Some(0.0) => (
            format!("top_k may choose new tokens: {origin}, and zero is above every negative score"),
            sign(walk.graph, scores) == Sign::Either,
        ),
        Some(number) => (format!("top_k may choose new tokens, whose scores are {number}: {origin}"), false),
        None => (format!("top_k may choose new tokens: {origin}"), true),
    };
    Kept::Changed(Reason { proven, ..walk.because(place.id, text) })
}
