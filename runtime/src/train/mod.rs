//! Training: the stages of an experiment one after another, and growth between them.
//!
//! ```text
//! for each stage:  load `from`, or grow into it  →  update until its end  →  evaluate  →  checkpoint
//! update:          micro-batches → loss and gradient  →  is it finite?  →  clip, AdamW
//! ```
//!
//! - All that a run is stands in the session's tensors and in [`State`]; batches and random numbers are functions of counters in
//!   it. So a run that stops at any update and is resumed does the very same arithmetic.
//! - Everything is said to an [`Observer`]; nothing is printed here.
//! - Losses are summed in f64 in the order of the micro-batches, weighted by their share of the batch's targets.

mod batches;
mod changes;
mod course;
mod end;
mod event;
mod from;
mod micro_batch;
mod run;
mod update;

pub use batches::{Batches, StageData};
pub use changes::{Changes, compare};
pub(crate) use course::Course;
pub use event::{Event, Observer, Step};
pub use micro_batch::{micro_batch, micro_batches};
pub(crate) use update::Update;

#[cfg(test)]
pub(crate) mod tests;

use crate::checkpoint::{self, Change, PlanState, RunFolder, State};
use crate::device::Session;
use crate::{Failure, Kind, Result};
use run::Run;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::model::{Model, Stage};

/// What a run needs from outside.
pub struct Setup<'a> {
    pub compiled: &'a Compiled,
    pub session: &'a mut dyn Session,
    /// Opens the data of a stage.
    pub data: &'a mut dyn FnMut(&Stage) -> Result<StageData>,
    pub observer: &'a mut dyn Observer,
    pub folder: &'a RunFolder,
    /// What `compiled` was planned with. A resumed run goes on with what it was started with: see [`planned`].
    pub plan: PlanState,
    /// By stage.
    pub flops_per_token: &'a [f64],
    /// Set to stop after the present update.
    pub interrupted: &'a AtomicBool,
    /// Stop after this many updates of the run, whatever the stages say.
    pub until_step: Option<u64>,
}

/// How a run came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All stages are over. No checkpoint: none of them trained.
    Finished { checkpoint: Option<PathBuf> },
    /// Interrupted, or at `until_step`: `--resume` goes on from the checkpoint.
    Stopped { step: u64, checkpoint: PathBuf },
}

/// A new run.
pub fn train(setup: Setup<'_>) -> Result<Outcome> {
    Run::start(setup)?.go_on()
}

/// Goes on with the run in `setup.folder` from its latest checkpoint, or from the start if it has none.
///
/// `before` is the model of the spec as it stands there, `spec` the present text; `accept` takes changes that would otherwise
/// be refused.
///
/// # Errors
/// The spec or the data changed in a way that cannot be taken, or the checkpoint is broken.
pub fn resume(setup: Setup<'_>, before: &Model, spec: &str, accept: bool) -> Result<Outcome> {
    let Some((latest, mut state)) = stopped_at(setup.folder)? else {
        setup.folder.replace_spec(spec)?;
        return train(setup);
    };
    let broken = |failure: Failure| without_it(failure, setup.folder);
    let model = &setup.compiled.model;
    state.stage_of(before).map_err(broken)?;
    let taken = compare(before, model, state.stage.index).take(accept)?;
    let step = state.done.steps;
    for change in taken.into_iter().map(|change| Change { step, change }) {
        // A process may have died between noting it and replacing the spec.
        if !state.changes.contains(&change) {
            state.changes.push(change);
        }
    }
    let [was, stage] = [before, model].map(|model| &model.experiment.stages[state.stage.index]);
    (state.stage.name, state.seed) = (stage.name.clone(), stage.seed);
    if !is_measured_alike([before, model], [was, stage]) {
        state.stage.forget_measurements();
    }
    state.plan.get_or_insert_with(|| setup.plan.clone());

    let sizes = checkpoint::sizes_of(&latest, model, &state, 1).map_err(broken)?;
    setup.session.resize(&sizes)?;
    checkpoint::load(&latest, setup.compiled, setup.session, &state).map_err(broken)?;
    if setup.folder.spec()? != spec {
        // Before the spec, which from then on is what later changes are compared with: a run that dies at once would have forgotten these.
        setup.folder.replace_state(&latest, &state)?;
        setup.folder.replace_spec(spec)?;
    }
    Run::new(setup, state, accept).go_on()
}

/// Whether what was measured still tells of the end of a stage: by the same metric, on as much of the same first validation set. Whether that is held out
/// of other data only its hash tells, when it is opened.
fn is_measured_alike(models: [&Model; 2], stages: [&Stage; 2]) -> bool {
    let [was, is] = stages.map(|stage| {
        let data = stage.data.as_ref()?;
        let first = data.validate.first().map(|(_, set)| set)?;
        let train = stage.train.as_ref()?;
        let rows = train.evaluate_batches.map(|batches| batches.saturating_mul(train.batch));
        Some((first, rows, &data.tokenizer, &data.documents, &data.images))
    });
    let metrics = stages.map(|stage| stage.end.until.as_ref().map(|until| until.metric().0.as_str()));
    was == is && metrics[0] == metrics[1] && metrics[0].is_none_or(|metric| changes::is_same_metric(models, metric))
}

/// What a run that is to be resumed was planned with; None where nothing has been planned yet.
///
/// # Errors
/// The checkpoint is broken.
pub fn planned(folder: &RunFolder) -> Result<Option<PlanState>> {
    Ok(stopped_at(folder)?.and_then(|(_, state)| state.plan))
}

/// The latest checkpoint and its state.
fn stopped_at(folder: &RunFolder) -> Result<Option<(PathBuf, State)>> {
    let Some(latest) = folder.latest()? else { return Ok(None) };
    let state = State::read(&latest.path.join("state.json")).map_err(|failure| without_it(failure, folder))?;
    Ok(Some((latest.path, state)))
}

/// A latest checkpoint that is broken is not passed over in silence; this says how to.
fn without_it(failure: Failure, folder: &RunFolder) -> Failure {
    let way_out = match folder.checkpoints().as_deref() {
        Ok([.., before, latest]) if matches!(failure.kind, Kind::Broken | Kind::Missing) => {
            format!("; or remove `{}` to go on from `{}`", latest.path.display(), before.path.display())
        }
        _ => String::new(),
    };
    Failure::new(failure.kind, failure.message + &way_out)
}

fn untrainable(stage: &Stage, what: &str) -> Failure {
    Failure::mistake(format!("stage `{}` has no `{what}` block, so it cannot be trained; add one", stage.name))
}
