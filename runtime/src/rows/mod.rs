//! What the optimizer must know of each row of a parameter: since when it is there, how it is trained.
//!
//! A parameter that grows is a sequence of [`Segment`]s of rows along its growable axis, one per growth; any other is one
//! segment. Growth and checkpoints keep the segments; a stage's rules turn them into row states ([`RowStates`]).

mod layout;
mod rules;
mod states;

pub use layout::Layout;
pub use rules::{Age, Treatment, treatment};
pub use states::RowStates;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use tfc_compiler::model::{Model, Parameter};
use tfc_compiler::size::SizeValues;

/// Consecutive rows that came into being together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    pub rows: u64,
    /// The step of the run, and the stage, that added them.
    pub birth: u64,
    pub stage: usize,
    /// Updates that their moments have seen: t of the bias correction. It stands still while they are frozen, as the moments
    /// do, so that rows that were born frozen start at full speed when they thaw.
    pub updates: u64,
}

/// The segments of one parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    /// The parameter's path.
    pub parameter: String,
    pub segments: Vec<Segment>,
}

impl Lineage {
    /// Every row of `parameter` is born now.
    pub fn new(parameter: &Parameter, sizes: &SizeValues, birth: u64, stage: usize) -> Lineage {
        let segment = Segment { rows: rows(parameter, sizes), birth, stage, updates: 0 };
        Lineage { parameter: parameter.path.clone(), segments: vec![segment] }
    }

    pub fn rows(&self) -> u64 {
        self.segments.iter().map(|segment| segment.rows).sum()
    }
}

/// How many rows a parameter has along its growable axis; 1 if it does not grow.
pub fn rows(parameter: &Parameter, sizes: &SizeValues) -> u64 {
    parameter.grows.map_or(1, |(axis, _)| parameter.shape[axis].eval(sizes).max(0) as u64)
}

/// The segments of every parameter of a model that starts at `sizes`.
pub fn lineages(model: &Model, sizes: &SizeValues, birth: u64, stage: usize) -> Vec<Lineage> {
    model.parameters.iter().map(|parameter| Lineage::new(parameter, sizes, birth, stage)).collect()
}
