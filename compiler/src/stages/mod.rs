//! The table of the stages that `tfc check` prints: how large each is, what it costs, and what its growth does to the function.
//!
//! [`table`] is plain data, for whoever wants JSON; [`text()`] renders it.

mod count;
mod flops;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use flops::node_flops;
pub use flops::{flops, flops_for};
pub use text::text;

use crate::graph::Graph;
use crate::model::{End, Model, Stage};
use crate::prove::GrowthProof;
use crate::size::{SizeValues, Symbol};

/// What is known beside the model.
pub struct Known<'a> {
    /// The entry `evaluate`, if the model has a loss.
    pub evaluate: Option<&'a Graph>,
    /// Per stage, as [`crate::prove::prove`] gives them; may be empty.
    pub proofs: &'a [Option<GrowthProof>],
    /// The peak of what a training step holds beside weights, gradients and moments, in bytes, at these sizes: a whole sequence in a
    /// micro-batch of one. None where no plan is at hand.
    pub activations: &'a dyn Fn(&Stage, &SizeValues) -> Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StageTable {
    pub rows: Vec<StageRow>,
    /// What FLOPs are counted per.
    pub per: Example,
}

/// What a model is fed one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Example {
    Token,
    /// Where there is no sequence: an image, a row.
    Input,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StageRow {
    pub name: String,
    pub parameters: i64,
    /// Of those, what the rules of the stage let train; None for a stage that is not trained.
    pub trainable: Option<i64>,
    pub groups: Vec<GroupRow>,
    pub flops: Option<Flops>,
    pub memory: Memory,
    /// What growth does to the function, and how it is proven.
    pub growth: Option<GrowthProof>,
    pub end: End,
}

/// A token group within one stage.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRow {
    pub name: String,
    /// The smallest and the largest number of tokens among the instances.
    pub tokens: (i64, i64),
    /// Of all parameters that grow with the group, or with it first.
    pub parameters: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flops {
    /// Per token or input.
    pub forward: f64,
    /// Per token or input: three times the forward pass.
    pub training: f64,
    /// Of the whole stage, where its length is known.
    pub stage: Option<f64>,
}

/// In bytes; f32 throughout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub weights: u64,
    pub gradients: u64,
    pub moments: u64,
    /// For one sequence or input at a time.
    pub activations: Option<u64>,
}

/// Bytes of an f32.
const F32: u64 = 4;

/// The table of a checked model.
pub fn table(model: &Model, known: &Known) -> StageTable {
    let per = if model.context.is_some() { Example::Token } else { Example::Input };
    let rows = (0..model.experiment.stages.len()).map(|stage| row(model, known, stage)).collect();
    StageTable { rows, per }
}

fn row(model: &Model, known: &Known, index: usize) -> StageRow {
    let stage = &model.experiment.stages[index];
    let positions = model.context.unwrap_or(1);
    let sizes = model.stage_sizes(index).with(Symbol::BATCH, 1).with(Symbol::SEQUENCE, positions);
    let parameters = model.parameter_count(&sizes);
    let weights = u64::try_from(parameters).unwrap_or(0).saturating_mul(F32);
    let trained = if stage.train.is_some() { weights } else { 0 };
    StageRow {
        name: stage.name.clone(),
        parameters,
        trainable: count::trainable(model, index),
        groups: count::groups(model, &sizes),
        flops: known.evaluate.and_then(|evaluate| cost(model, evaluate, stage, &sizes)),
        memory: Memory {
            weights,
            gradients: trained,
            moments: trained.saturating_mul(2),
            activations: stage.train.as_ref().and_then(|_| (known.activations)(stage, &sizes)),
        },
        growth: known.proofs.get(index).cloned().flatten(),
        end: stage.end.clone(),
    }
}

/// `sizes` are those of one whole sequence.
fn cost(model: &Model, evaluate: &Graph, stage: &Stage, sizes: &SizeValues) -> Option<Flops> {
    let positions = model.context.unwrap_or(1);
    let forward = flops_for(evaluate, "loss", sizes)? / positions as f64;
    let training = 3.0 * forward;
    let examples = |train: &crate::model::TrainRecipe| {
        let by_steps = stage.end.steps.map(|steps| steps as f64 * train.batch as f64 * positions as f64);
        let by_tokens = stage.end.tokens.map(|tokens| tokens as f64);
        by_steps.into_iter().chain(by_tokens).reduce(f64::min)
    };
    let length = stage.train.as_ref().and_then(examples).map(|examples| examples * training);
    let whole = length.into_iter().chain(stage.end.flops).reduce(f64::min);
    Some(Flops { forward, training, stage: whole })
}
