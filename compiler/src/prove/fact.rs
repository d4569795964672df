//! What is known of one value of the grown model: how its old part compares with the model before the growth, and what
//! stands in its new slices.

use crate::graph::NodeId;

/// Factors that differ by less than this are rounding.
const SAME: f64 = 1e-9;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fact {
    pub kept: Kept,
    /// The same number in every element.
    pub number: Option<f64>,
    /// What stands at the new indices of each growing axis, in the order of the axes. Empty where `number` says it all.
    pub fresh: Vec<(usize, Fresh)>,
}

/// The elements at old indices, against the same elements before the growth.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kept {
    Same,
    Scaled { factor: f64, why: Reason },
    Changed(Reason),
}

/// The elements at new indices of one axis, whatever the indices of the others.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fresh {
    /// All are this number; and where that comes from, in words.
    Number(f64, String),
    /// Each new slice equals an old one of the grown model, and each old one is repeated equally often.
    Copies,
    /// Nothing is known; and why, in words.
    Any(String),
}

/// Why something is not as it was.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reason {
    pub text: String,
    pub at: NodeId,
    /// The change is a fact; otherwise the prover has merely lost track.
    pub proven: bool,
}

impl Fact {
    /// A value without a growing axis that is what it was.
    pub fn same() -> Fact {
        Fact { kept: Kept::Same, number: None, fresh: Vec::new() }
    }

    pub fn number(value: f64) -> Fact {
        Fact { number: Some(value), ..Fact::same() }
    }

    pub fn number_at(&self, axis: usize) -> Option<f64> {
        self.number.or_else(|| match self.fresh_at(axis) {
            Some(Fresh::Number(value, _)) => Some(*value),
            Some(Fresh::Copies | Fresh::Any(_)) | None => None,
        })
    }

    pub fn is_zero_at(&self, axis: usize) -> bool {
        self.number_at(axis) == Some(0.0)
    }

    /// A value that is one number everywhere repeats itself, too.
    pub fn copies_at(&self, axis: usize) -> bool {
        self.number.is_some() || self.fresh_at(axis) == Some(&Fresh::Copies)
    }

    /// Where the content of the new slices comes from, for a message about them.
    pub fn origin_at(&self, axis: usize) -> String {
        match self.fresh_at(axis) {
            Some(Fresh::Number(_, origin) | Fresh::Any(origin)) => origin.clone(),
            Some(Fresh::Copies) => "new columns repeat old ones".into(),
            None => "new columns are a constant".into(),
        }
    }

    pub fn fresh_at(&self, axis: usize) -> Option<&Fresh> {
        self.fresh.iter().find(|(a, _)| *a == axis).map(|(_, fresh)| fresh)
    }
}

impl Kept {
    /// From or to zero nothing is scaled: what it divides or compares is not what it was.
    pub fn scaled(factor: f64, why: Reason) -> Kept {
        match (factor - 1.0).abs() < SAME {
            true => Kept::Same,
            false if factor == 0.0 || !factor.is_finite() => Kept::Changed(why),
            false => Kept::Scaled { factor, why },
        }
    }

    /// The reason why it is not the same.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Kept::Same => None,
            Kept::Scaled { why, .. } | Kept::Changed(why) => Some(why),
        }
    }

    fn factor(&self) -> Option<f64> {
        match self {
            Kept::Same => Some(1.0),
            Kept::Scaled { factor, .. } => Some(*factor),
            Kept::Changed(_) => None,
        }
    }

    /// Of a product: factors multiply.
    pub fn product(parts: &[&Kept]) -> Kept {
        let Some(factor) = parts.iter().map(|kept| kept.factor()).product::<Option<f64>>() else {
            return Kept::changed(parts);
        };
        match parts.iter().find_map(|kept| kept.reason()) {
            None => Kept::Same,
            Some(why) => Kept::scaled(factor, why.clone()),
        }
    }

    /// Of a function that commutes with positive factors, taken of parts that must all have one: sums, maxima, rows put
    /// side by side.
    pub fn common(parts: &[&Kept]) -> Kept {
        let Some(first) = parts.first() else { return Kept::Same };
        let equal = |kept: &&Kept| match (first.factor(), kept.factor()) {
            (Some(a), Some(b)) => (a - b).abs() < SAME * a.abs(),
            (None, _) | (_, None) => false,
        };
        if parts.iter().all(equal) { (*first).clone() } else { Kept::changed(parts) }
    }

    /// Of a function that commutes with no factor.
    pub fn opaque(parts: &[&Kept]) -> Kept {
        if parts.iter().all(|kept| **kept == Kept::Same) { Kept::Same } else { Kept::changed(parts) }
    }

    /// Of a function of one value that turns a factor into another, or (None) commutes with none.
    pub fn map(&self, factor: impl Fn(f64) -> Option<f64>) -> Kept {
        match self {
            Kept::Same => Kept::Same,
            Kept::Scaled { factor: old, why } => match factor(*old) {
                Some(new) => Kept::scaled(new, why.clone()),
                None => Kept::Changed(why.clone()),
            },
            Kept::Changed(why) => Kept::Changed(why.clone()),
        }
    }

    /// Changed for the surest of the parts' reasons, and of those the earliest, which caused the others; that a part is scaled is a
    /// reason where there is no other.
    fn changed(parts: &[&Kept]) -> Kept {
        let weight = |kept: &&&Kept| kept.reason().map(|why| (kept.factor().is_some(), !why.proven, why.at));
        let surest = parts.iter().filter(|kept| kept.reason().is_some()).min_by_key(weight);
        surest.and_then(|kept| kept.reason()).map_or(Kept::Same, |why| Kept::Changed(why.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_scaled_from_or_to_zero() {
        let why = || Reason { text: "scale follows n".into(), at: NodeId(0), proven: true };
        assert_eq!(Kept::scaled(1.0, why()), Kept::Same);
        assert!(matches!(Kept::scaled(2.0, why()), Kept::Scaled { .. }));
        for factor in [0.0, f64::INFINITY, f64::NAN] {
            assert_eq!(Kept::scaled(factor, why()), Kept::Changed(why()), "{factor}");
        }
    }
}
