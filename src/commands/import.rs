//! `tfc import`: an official checkpoint, or a delta, becomes a run that training can go on with.

use crate::arguments::{Import, Like};
use crate::console::Console;
use crate::stop::Outcome;
use crate::{spec, stage};
use std::path::Path;
use tfc_compiler::model::{Model, Stage};
use tfc_runtime::checkpoint::{self, RunFolder};
use tfc_runtime::data::Tokenizer;
use tfc_runtime::delta::Delta;
use tfc_runtime::{Failure, Kind, Result, official, source};

pub fn run(command: &Import, console: &Console) -> Outcome {
    match (&command.delta, &command.spec, command.like) {
        (Some(base), _, _) => delta(command, base, console),
        (None, Some(spec), Some(like)) => official(command, spec, like, console),
        (None, _, _) => unreachable!("clap asks for a spec and a layout where there is no delta"),
    }
}

fn delta(command: &Import, base: &Path, console: &Console) -> Outcome {
    let base = checkpoint::locate(base)?;
    let delta = Delta::open(&command.checkpoint)?;
    let text = delta.spec()?;
    let model = spec::check_text(&command.checkpoint, text, console)?.model;
    let into = RunFolder::create(&command.out, text)?;
    let path = into.filled(|into| delta.write(&base, &model, into))?;
    console.print(&format!("{}\n", path.display()))?;
    Ok(())
}

fn official(command: &Import, spec: &Path, like: Like, console: &Console) -> Outcome {
    let spec = spec::load(spec, &command.sets, console)?;
    let index = stage::find(&spec.model, command.stage.as_deref())?;
    let import = official::Import::open(&command.checkpoint, like.form(), &spec.model, index)?;
    let tokenizer = tokenizer(command, &spec.model, &spec.model.experiment.stages[index], console)?;
    let into = RunFolder::create(&command.out, &spec.resolved)?;
    let path = into.filled(|into| import.write(into, tokenizer.as_ref().map(Tokenizer::json)))?;
    console.print(&format!("{}\n", path.display()))?;
    Ok(())
}

/// The one that `--tokenizer` names, or the spec's. Weights are of use without one, too.
fn tokenizer(command: &Import, model: &Model, stage: &Stage, console: &Console) -> Result<Option<Tokenizer>> {
    let tokenizer = match (&command.tokenizer, &stage.data) {
        (Some(path), _) => Tokenizer::open(path)?,
        (None, Some(data)) => match source::tokenizer(&data.tokenizer) {
            Err(failure) if failure.kind == Kind::Missing => {
                console.say(&format!("without a tokenizer: {failure}, or name one with --tokenizer"));
                return Ok(None);
            }
            tokenizer => tokenizer?,
        },
        (None, None) => return Ok(None),
    };
    let sizes = model.stage_sizes(0);
    match model.vocabulary(&sizes) {
        Some(vocabulary) if i64::from(tokenizer.vocab()) > vocabulary.size => {
            let what = format!("the tokenizer has {} entries, the model only {}", tokenizer.vocab(), vocabulary.size);
            Err(Failure::mistake(format!("{what}; name the one it was trained with")))
        }
        _ => Ok(Some(tokenizer)),
    }
}
