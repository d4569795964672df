//! `tfc grow`: one stage's growth applied to a checkpoint, outside of a run.

use super::{Grown, Measure, check, grow, grow_measured};
use crate::Result;
use crate::checkpoint::{self, RunFolder, StageState, State};
use crate::device::Session;
use crate::storage;
use std::path::{Path, PathBuf};
use tfc_compiler::compiled::Compiled;

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
    session.resize(&state.sizes(&compiled.model, 1)?)?;
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
