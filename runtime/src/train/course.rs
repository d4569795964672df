//! What a stage needs while it is trained, derived anew from spec and state whenever it begins or goes on.

use super::end::{curve, length};
use super::{StageData, micro_batch, untrainable};
use crate::checkpoint::{Done, State};
use crate::device::Session;
use crate::rows::RowStates;
use crate::schedule::Curve;
use crate::sizes::{sizes_at, tokens_by_path};
use crate::{Failure, Result, grow};
use tfc_compiler::compiled::Compiled;
use tfc_compiler::model::{Horizon, Model, Stage, TrainRecipe};
use tfc_compiler::size::SizeValues;

pub struct Course<'a> {
    pub stage: &'a Stage,
    pub recipe: &'a TrainRecipe,
    pub data: StageData,
    /// Sequences that go through the model at once.
    pub micro_batch: u64,
    /// What one update does.
    pub each: Done,
    pub length: Option<u64>,
    curve: Curve,
    pub rows: RowStates,
}

impl<'a> Course<'a> {
    /// Prepares the session, which has the stage's parameters already, and notes the schedule in the state.
    pub fn new(
        compiled: &'a Compiled,
        session: &mut dyn Session,
        state: &mut State,
        data: StageData,
        flops_per_token: &[f64],
    ) -> Result<Course<'a>> {
        let model = &compiled.model;
        let index = state.stage.index;
        let stages = &model.experiment.stages;
        let stage = &stages[index];
        let recipe = stage.train.as_ref().ok_or_else(|| untrainable(stage, "train"))?;
        let each = |i: usize| one_update(model, i, flops_per_token);
        let done_before = state.done.steps - state.stage.done.steps;
        let curve = curve(stages, index, &recipe.schedule, done_before, &each)?;
        state.stage.schedule = Some(curve.clone());

        let micro_batch = micro_batch(recipe.batch, state.micro_batch());
        let sizes = sizes_at(model, micro_batch, &stage.tokens);
        has_sizes(model, state, &stage.name, &sizes)?;
        session.resize(&sizes)?;
        session.set_precision(recipe.precision);
        grow::scales::write(session, state)?;
        let rows = RowStates::write(model, &state.rows, state.last_growth, recipe, session)?;
        let length = length(&stage.end, each(index));
        Ok(Course { stage, recipe, data, micro_batch, each: each(index), length, curve, rows })
    }

    /// The learning rate of the next update.
    pub fn learning_rate(&self, state: &State) -> f64 {
        let position = match self.recipe.schedule.horizon {
            Horizon::Stage => state.stage.done.steps,
            Horizon::Run => state.done.steps,
        };
        self.recipe.optimizer.lr * self.curve.at(position)
    }
}

/// Growth alone changes sizes: a checkpoint of others is of no stage of this spec.
fn has_sizes(model: &Model, state: &State, stage: &str, sizes: &SizeValues) -> Result<()> {
    for (path, wanted) in tokens_by_path(model, sizes) {
        let has = state.tokens.get(&path).copied().unwrap_or(0);
        if has != wanted {
            let what = format!("the checkpoint has {has} tokens `{path}`, and stage `{stage}` {wanted}");
            return Err(Failure::mistake(format!(
                "{what}; grow it with `tfc grow`, or begin a run `from` it in a spec of its sizes"
            )));
        }
    }
    Ok(())
}

/// A sequence is `context` tokens; what has no context counts as one.
fn one_update(model: &Model, stage: usize, flops_per_token: &[f64]) -> Done {
    let batch = model.experiment.stages[stage].train.as_ref().map_or(0, |recipe| recipe.batch);
    let tokens = batch * model.context.unwrap_or(1).max(1) as u64;
    Done { steps: 1, tokens, flops: tokens as f64 * flops_per_token.get(stage).copied().unwrap_or(0.0) }
}
