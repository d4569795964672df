//! `tfc import`: an official checkpoint becomes a run that training can go on with.

use crate::arguments::Import;
use crate::console::Console;
use crate::stop::Outcome;
use crate::{spec, stage};
use tfc_compiler::model::{Model, Stage};
use tfc_runtime::checkpoint::RunFolder;
use tfc_runtime::data::Tokenizer;
use tfc_runtime::{Failure, Kind, Result, official, source};

pub fn run(command: &Import, console: &Console) -> Outcome {
    let spec = spec::load(&command.spec.spec, &command.spec.sets, console)?;
    let index = stage::find(&spec.model, command.stage.as_deref())?;
    let import = official::Import::open(&command.checkpoint, command.like.form(), &spec.model, index)?;
    let tokenizer = tokenizer(command, &spec.model, &spec.model.experiment.stages[index], console)?;
    let into = RunFolder::create(&command.out, &spec.resolved)?;
    let path = import.write(&into, tokenizer.as_ref().map(Tokenizer::json))?;
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
        Some((vocabulary, _)) if i64::from(tokenizer.vocab()) > vocabulary => {
            let what = format!("the tokenizer has {} entries, the model only {vocabulary}", tokenizer.vocab());
            Err(Failure::mistake(format!("{what}; name the one it was trained with")))
        }
        _ => Ok(Some(tokenizer)),
    }
}
