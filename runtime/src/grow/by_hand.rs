//! `tfc grow`: one stage's growth applied to a checkpoint, outside of a run.

use super::{Grown, Measure, check, grow, grow_measured};
use crate::checkpoint::{self, RunFolder, StageState, State};
use crate::device::Session;
use crate::{Failure, Result, storage};
use std::path::{Path, PathBuf};
use tfc_compiler::compiled::Compiled;
use tfc_compiler::model::Model;

/// Loads `checkpoint`, grows it into stage `index`, and writes it to `into`, a run that training can go on with at the first
/// update of that stage. Without data to measure on, parameters are counted but nothing is measured and no expectation checked.
pub fn grow_by_hand(
    compiled: &Compiled,
    session: &mut dyn Session,
    checkpoint: &Path,
    index: usize,
    measure: Option<&Measure<'_>>,
    into: &RunFolder,
) -> Result<(Grown, PathBuf)> {
    let stage = &compiled.model.experiment.stages[index];
    let mut state = State::read(&checkpoint.join("state.json"))?;
    leads_on(&compiled.model, &state.stage.name, index)?;
    has_growth(&compiled.model, index)?;
    let stages = &compiled.model.experiment.stages;
    if stages.get(state.stage.index).is_none_or(|known| known.name != state.stage.name) {
        state.forget_growth(index);
    }
    session.resize(&checkpoint::sizes_of(checkpoint, &compiled.model, &state, 1)?)?;
    checkpoint::load(checkpoint, compiled, session, &state)?;
    let grown = match measure {
        Some(measure) => grow_measured(compiled, session, &mut state, index, measure)?,
        None => grow(compiled, session, &mut state, index)?,
    };
    check(stage, &grown, Some(checkpoint))?;
    state.seed = stage.seed;
    state.stage = StageState::new(index, &stage.name);
    let tokenizer = checkpoint.join("tokenizer.json");
    let tokenizer = if tokenizer.exists() { Some(storage::read_text(&tokenizer)?) } else { None };
    let path = into.save(compiled, session, &state, tokenizer.as_deref(), None)?;
    Ok((grown, path))
}

/// Sizes of a stage that goes on as the one before it are that one's: nothing would make a checkpoint of it.
fn has_growth(model: &Model, index: usize) -> Result<()> {
    let stages = &model.experiment.stages;
    if stages[index].growth.is_some() {
        return Ok(());
    }
    let what = format!("stage `{}` goes on with the sizes of the one before it", stages[index].name);
    let before = stages[..index].iter().rev().find(|stage| stage.growth.is_some());
    Err(Failure::mistake(match before {
        Some(stage) => format!("{what}; grow into `{}`, and train from there on", stage.name),
        None => format!("{what}; train it as it is"),
    }))
}

/// Growth leads from the stage of a checkpoint, if the spec has it, into a later one.
fn leads_on(model: &Model, present: &str, index: usize) -> Result<()> {
    let stages = &model.experiment.stages;
    let Some(reached) = stages.iter().position(|stage| stage.name == present) else { return Ok(()) };
    if reached < index {
        return Ok(());
    }
    let what = if reached == index {
        format!("the checkpoint is in stage `{present}` already")
    } else {
        format!("the checkpoint is in stage `{present}`, which comes after `{}`", stages[index].name)
    };
    let later: Vec<String> = stages[reached + 1..].iter().map(|stage| format!("`{}`", stage.name)).collect();
    let way_out = if later.is_empty() {
        "it is the spec's last; add a stage to the spec, and name that with --spec".to_string()
    } else {
        format!("name a later one: {}", later.join(", "))
    };
    Err(Failure::mistake(format!("{what}; {way_out}")))
}
