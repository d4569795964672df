//! The k-th largest number of a row, by bisection: a walk along the row counts the numbers that are at least so large, and each count halves the range in
//! which the k-th largest lies.
//!
//! The range is one of floats in their order, of which there are fewer than 2³², so a search has an end whatever the numbers are; it ends earlier, in a row of
//! unequal numbers after little more than the logarithm of its length, as soon as exactly k are found. Nothing is sorted or moved, and what is counted
//! depends neither on the order of counting nor on k.

use super::passes::Selecting;
use super::reduction::{Row, fold};
use super::step::Step;
use crate::mlir::{Bool, Float, Function, Index, Lanes, Scalar, Value};

/// The most counts that a search takes.
pub const STEPS: i64 = 32;

/// −∞ and ∞ as [`float_at`] counts; beyond them is NaN.
const FIRST: i64 = (f32::NEG_INFINITY.to_bits() as i32 ^ i32::MAX) as i64;
const LAST: i64 = f32::INFINITY.to_bits() as i64;

/// k numbers or more are at least as large as the float at `low`, fewer as the one at `high`; counted from −∞ on.
#[derive(Clone, Copy)]
pub struct Bounds<'f> {
    pub low: Index<'f>,
    pub high: Index<'f>,
}

impl<'f> Bounds<'f> {
    pub fn all(f: &'f Function<'f>) -> Bounds<'f> {
        Bounds { low: f.index(0), high: f.index(LAST - FIRST + 1) }
    }

    /// Whether the search goes on.
    pub fn are_apart(self) -> Bool<'f> {
        (self.low + 1).less(self.high)
    }

    fn middle(self) -> Index<'f> {
        (self.low + self.high) / 2
    }

    /// What is to be counted: the numbers that are at least so large.
    pub fn candidate(self) -> Scalar<'f> {
        float_at(self.middle())
    }

    /// What is left after so many were counted of the k; where exactly k were, nothing.
    pub fn narrowed(self, count: Scalar<'f>, k: Scalar<'f>) -> Bounds<'f> {
        let (middle, enough) = (self.middle(), k.at_most(count));
        let high = enough.select(self.high, middle);
        Bounds { low: enough.select(middle, self.low), high: count.equals(k).select(middle + 1, high) }
    }

    /// A bound that k numbers reach, once the search is over: the least of those is the k-th largest.
    pub fn found(self) -> Scalar<'f> {
        float_at(self.low)
    }
}

/// The float at a place among all of them in their order, counted from −∞: positive ones are ordered as their bits, negative ones the other way round.
fn float_at<'f>(place: Index<'f>) -> Scalar<'f> {
    let bits = (place + FIRST).to_int32();
    let mirrored = bits.exclusive_or(bits.constant(i32::MAX));
    bits.less(bits.constant(0)).select(mirrored, bits).as_float()
}

/// 1 where a number counts.
pub fn counted<'f, K: Float>(value: Value<'f, K>, least: Value<'f, K>) -> Value<'f, K> {
    least.at_most(value).select(value.constant(1.0), value.constant(0.0))
}

/// The number, negated, where it counts: of these the largest is sought.
pub fn negated<'f, K: Float>(value: Value<'f, K>, least: Value<'f, K>) -> Value<'f, K> {
    least.at_most(value).select(-value, value.constant(f32::NEG_INFINITY))
}

pub fn select<'f>(row: Row<'_, 'f>, selecting: &Selecting) -> Scalar<'f> {
    let Row { f, length, .. } = row;
    let k = row.at(&[selecting.k], f.index(0), Lanes::All)[0].first();
    let values = |column, lanes| row.at(&[selecting.argument], column, lanes)[0];
    let all = Bounds::all(f);
    let (low, high) = f.carry(f.index(0), f.index(STEPS), 1, (all.low, all.high), |_, (low, high)| {
        let bounds = Bounds { low, high };
        let narrow = || {
            let least = bounds.candidate().splat();
            let counts = fold(f, length, vec![Step::Add], |column, lanes| vec![counted(values(column, lanes), least)]);
            let Bounds { low, high } = bounds.narrowed(counts[0].sum(), k);
            (low, high)
        };
        f.either(bounds.are_apart(), narrow, || (low, high))
    });
    let least = Bounds { low, high }.found().splat();
    let smallest = fold(f, length, vec![Step::Maximum], |column, lanes| vec![negated(values(column, lanes), least)]);
    -smallest[0].largest()
}
