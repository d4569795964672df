//! What the optimizer must know of each row of a parameter: since when it is there, how it is trained.
//!
//! Along each axis that grows a parameter is a sequence of [`Segment`]s of rows, one per growth; a parameter that does not grow is one
//! segment. Where two axes grow, the segments of both make cells, and an element is as old as the younger of its rows. Growth and checkpoints keep the
//! segments, and of each cell how many updates it has seen; a stage's rules turn them into row states ([`RowStates`]).

mod layout;
mod rules;
mod states;

pub use layout::Layout;
pub use rules::{Age, Treatment, treatment};
pub use states::RowStates;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use std::ops::Range;
use tfc_compiler::model::{Model, Parameter};
use tfc_compiler::size::SizeValues;

/// Consecutive rows that came into being together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    pub rows: u64,
    /// The step of the run, and the stage, that added them.
    pub birth: u64,
    pub stage: usize,
}

/// Stage and step that added rows: larger for younger ones. Stages come one after the other, whatever the steps; these tell apart what a
/// checkpoint of another run has brought along, all of it in one stage.
type Descent = (usize, u64);

impl Segment {
    fn descent(&self) -> Descent {
        (self.stage, self.birth)
    }
}

/// The segments of one parameter along each axis that grows; of a parameter that does not, one list of one segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    /// The parameter's path.
    pub parameter: String,
    pub axes: Vec<Vec<Segment>>,
    /// Of each cell, the last axis running fastest: updates that its moments have seen, t of the bias correction. It stands still while the cell is frozen, as
    /// the moments do, so that rows that were born frozen start at full speed when they thaw; and copies have seen what their originals have.
    pub updates: Vec<u64>,
}

impl Lineage {
    /// Every row of `parameter` is born now.
    pub fn new(parameter: &Parameter, sizes: &SizeValues, birth: u64, stage: usize) -> Lineage {
        let segments = |rows| vec![Segment { rows, birth, stage }];
        let axes = rows(parameter, sizes).into_iter().map(segments).collect();
        Lineage { parameter: parameter.path.clone(), axes, updates: vec![0] }
    }

    /// Whether each cell has its number of updates.
    pub fn is_sound(&self) -> bool {
        self.axes.iter().try_fold(1usize, |cells, axis| cells.checked_mul(axis.len())) == Some(self.updates.len())
    }

    /// Gives an axis other segments, each with the one before whose moments it has, if it has any.
    pub fn replace(&mut self, axis: usize, segments: Vec<(Segment, Option<usize>)>) {
        let cells = |axes: &[Vec<Segment>]| -> usize { axes.iter().map(Vec::len).product() };
        let (outer, before, inner) = (cells(&self.axes[..axis]), self.axes[axis].len(), cells(&self.axes[axis + 1..]));
        let seen = |outer: usize, from: Option<usize>| match from {
            Some(from) => self.updates[(outer * before + from) * inner..][..inner].to_vec(),
            None => vec![0; inner],
        };
        self.updates =
            (0..outer).flat_map(|outer| segments.iter().flat_map(move |(_, from)| seen(outer, *from))).collect();
        self.axes[axis] = segments.into_iter().map(|(segment, _)| segment).collect();
    }

    /// Moments are zero from now on.
    pub fn forget_updates(&mut self) {
        self.updates.fill(0);
    }

    pub fn rows(&self) -> Vec<u64> {
        self.axes.iter().map(|segments| segments.iter().map(|segment| segment.rows).sum()).collect()
    }

    pub fn segments_mut(&mut self) -> impl Iterator<Item = &mut Segment> {
        self.axes.iter_mut().flatten()
    }
}

/// How many rows a parameter has along each axis that grows; 1 if none does.
pub fn rows(parameter: &Parameter, sizes: &SizeValues) -> Vec<u64> {
    if parameter.grows.is_empty() {
        return vec![1];
    }
    parameter.grows.iter().map(|(axis, _)| parameter.shape[*axis].eval(sizes).max(0) as u64).collect()
}

/// An axis along which a parameter has grown.
pub struct GrownAxis {
    pub layout: Layout,
    /// The rows that it did not have.
    pub new: Range<usize>,
}

/// The axes of a parameter, now of this shape, that were shorter before.
pub fn grown(parameter: &Parameter, shape: &[usize], before: &SizeValues) -> Vec<GrownAxis> {
    let axes = parameter.grows.iter().zip(rows(parameter, before)).map(|((axis, _), old)| {
        let layout = Layout::new(shape, *axis);
        GrownAxis { layout, new: old as usize..layout.rows }
    });
    axes.filter(|axis| !axis.new.is_empty()).collect()
}

/// The segments of every parameter of a model that starts at `sizes`.
pub fn lineages(model: &Model, sizes: &SizeValues, birth: u64, stage: usize) -> Vec<Lineage> {
    model.parameters.iter().map(|parameter| Lineage::new(parameter, sizes, birth, stage)).collect()
}
