//! How reductions take up numbers one after the other, on any machine.

use crate::mlir::{Float, Value};
use tfc_compiler::graph::Reduction;

/// How totals take up more values: each of the lanes for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Add,
    AddSquare,
    Maximum,
    /// The largest magnitude.
    Magnitude,
}

/// Totals, and by how much they are too large: what rounding did.
#[derive(Clone, Copy)]
pub struct Total<'f, K> {
    pub sum: Value<'f, K>,
    pub lost: Value<'f, K>,
}

impl Step {
    pub fn of(reduction: Reduction) -> Step {
        match reduction {
            Reduction::Sum => Step::Add,
            Reduction::Maximum => Step::Maximum,
            Reduction::L2Norm => Step::AddSquare,
        }
    }

    pub fn start(self) -> f32 {
        match self {
            Step::Add | Step::AddSquare | Step::Magnitude => 0.0,
            Step::Maximum => f32::NEG_INFINITY,
        }
    }

    pub fn take<'f, K: Float>(self, total: Value<'f, K>, value: Value<'f, K>) -> Value<'f, K> {
        match self {
            Step::Add => total + value,
            Step::AddSquare => value.times_plus(value, total),
            Step::Maximum => total.or_at_least(value),
            Step::Magnitude => total.or_at_least(value.absolute()),
        }
    }

    /// Totals of two parts.
    pub fn combine<'f, K: Float>(self, a: Value<'f, K>, b: Value<'f, K>) -> Value<'f, K> {
        match self {
            Step::Add | Step::AddSquare => a + b,
            Step::Maximum | Step::Magnitude => a.or_at_least(b),
        }
    }

    /// The total of a run of values is added to that of those before (Kahan): rounding errors grow with the run, not with the row.
    pub fn join<'f, K: Float>(self, total: Total<'f, K>, run: Value<'f, K>) -> Total<'f, K> {
        let Total { sum, lost } = total;
        match self {
            Step::Add | Step::AddSquare => {
                let run = run - lost;
                let larger = sum + run;
                Total { sum: larger, lost: (larger - sum) - run }
            }
            Step::Maximum | Step::Magnitude => Total { sum: self.combine(sum, run), lost },
        }
    }
}
