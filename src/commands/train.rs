//! `tfc train`: trains a spec, and grows on the way; with `--sweep`, once for each combination of values.

use crate::arguments::Train;
use crate::console::Console;
use crate::meter::Meter;
use crate::patience::{self, MINUTE};
use crate::progress::Progress;
use crate::session::Device;
use crate::spec::Proven;
use crate::stop::{Outcome, Stop};
use crate::{interrupt, memory, run_folder, session, shell, spec};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tfc_compiler::compiled::Entry;
use tfc_compiler::lower::can_decode;
use tfc_compiler::model::Model;
use tfc_compiler::stages::{self, Known};
use tfc_runtime::checkpoint::RunFolder;
use tfc_runtime::confusion::classifier;
use tfc_runtime::record::Record;
use tfc_runtime::train::{self, Event, Observer, Setup};
use tfc_runtime::{Failure, Result, source};

pub fn run(command: &Train, console: &Console) -> Outcome {
    let interrupted = interrupt::listen()?;
    // Before anything is written, or trained for a mistake that comes later.
    let device = Device::find(&command.device)?;
    let mut runs: Vec<Planned> = Vec::new();
    for sweep in run_folder::sweeps(&command.sweep)? {
        let run = Planned::new(command, &sweep, console)?;
        if runs.iter().any(|other| other.path == run.path) {
            let what = format!("two runs of the sweep would be `{}`", run.path.display());
            return Err(Failure::mistake(format!("{what}; name each value once")).into());
        }
        runs.push(run);
    }
    let (of, mut failed) = (runs.len(), Vec::new());
    for run in runs {
        let path = run.path.clone();
        match train_one(command, &device, run, &interrupted, console) {
            // What a run of a sweep does to itself is no matter for the others; a full disk is.
            Err(Stop::Failure(failure)) if of > 1 && failure.kind.exit_code() == 1 => {
                let what = format!("`{}` failed: {failure}", path.display());
                console.say(&what);
                failed.push(what);
            }
            outcome => outcome?,
        }
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
    }
    match failed.len() {
        0 => Ok(()),
        some => Err(Failure::mistake(format!("{some} of {of} runs failed:\n  {}", failed.join("\n  "))).into()),
    }
}

/// One run, whose spec is checked.
struct Planned {
    proven: Proven,
    path: PathBuf,
    /// Whether it goes on. Of a sweep that was interrupted, some have not begun.
    goes_on: bool,
}

impl Planned {
    fn new(command: &Train, sweep: &[String], console: &Console) -> std::result::Result<Planned, Stop> {
        let sets = [command.spec.sets.as_slice(), sweep].concat();
        let proven = Proven::load(&command.spec.spec, &sets, console)?;
        let seed = proven.spec.model.experiment.seed;
        let path = run_folder::path(command.out.as_deref(), &command.spec.spec, &sets, sweep, seed);
        let goes_on = command.resume && (sweep.is_empty() || path.join("model.tfm").exists());
        Ok(Planned { proven, path, goes_on })
    }
}

fn train_one(
    command: &Train,
    device: &Device,
    Planned { proven: Proven { spec, evaluate, .. }, path, goes_on }: Planned,
    interrupted: &AtomicBool,
    console: &Console,
) -> Outcome {
    let known = Known { evaluate: evaluate.as_ref(), proofs: &[], activations: &|_, _| None };
    let rows = stages::table(&spec.model, &known).rows;
    let flops: Vec<f64> = rows.iter().map(|row| row.flops.map_or(0.0, |flops| flops.training)).collect();
    announce(&spec.model, &flops, device, console)?;
    let text = spec.resolved;
    let folder = if goes_on { RunFolder::open(&path)? } else { RunFolder::create(&path, &text)? };
    let before =
        if goes_on { Some(spec::check_text(&path.join("model.tfm"), &folder.spec()?, console)?) } else { None };

    let entries = entries(&spec.model)?;
    let disabled = session::disabled(&command.compiler, command.device.device.is_gpu())?;
    let budget = memory::budget(command.memory.as_deref(), device.free_memory()?)?;
    let planned = if goes_on { train::planned(&folder)? } else { None };
    let (compiled, plan) = memory::compile_training(spec.model, &entries, &disabled, budget, planned)?;
    let compiled = Arc::new(compiled);
    console.detail(&plan.to_string());
    let mut session = device.open(&compiled)?;
    let mut observers = Observers {
        progress: Progress::new(console.is_watched(), console.is_quiet()),
        record: Record::new(&path, &compiled.model.name),
    };
    let cache = path.join("tokens");
    let setup = Setup {
        compiled: &compiled,
        session: session.as_mut(),
        data: &mut |stage| source::open(&compiled.model, stage, Some(&cache)),
        observer: &mut observers,
        folder: &folder,
        plan,
        flops_per_token: &flops,
        interrupted,
        until_step: command.steps,
    };
    let outcome = match before {
        None => train::train(setup),
        Some(before) => train::resume(setup, &before.model, &text, command.accept_changes),
    };
    // What was measured is worth a report, also where the run failed.
    let reported = observers.record.finish(&text);
    say_end(&outcome?, &path, can_decode(&compiled.model).is_ok(), command.steps.is_some(), console);
    Ok(reported?)
}

/// Says where a step takes long. A device is measured only where one that does no more than the slowest processor would take a minute.
///
/// # Errors
/// Nobody would wait for it.
fn announce(model: &Model, flops_per_token: &[f64], device: &Device, console: &Console) -> Result<()> {
    const SLOWEST: f64 = 1e10;
    for (stage, flops) in model.experiment.stages.iter().zip(flops_per_token) {
        let Some(recipe) = &stage.train else { continue };
        let step = flops * recipe.batch as f64 * model.context.unwrap_or(1) as f64;
        if step < SLOWEST * MINUTE || !device.is_timed() {
            continue;
        }
        let peak = Meter::of(device, recipe.precision)?.flops()?;
        let what = format!("a step of stage \"{}\"", stage.name);
        patience::announce(&what, step / peak, "use a smaller `batch`", console)?;
    }
    Ok(())
}

/// What training runs: with the logits where a growth is expected to preserve them, or where they are classes.
fn entries(model: &Model) -> std::result::Result<Vec<Entry>, Stop> {
    if model.program.loss.is_none() {
        return Err(Failure::mistake("the model has no `loss`, so it cannot be trained; bind one").into());
    }
    let mut entries = Entry::updates(model);
    entries.push(Entry::Evaluate);
    let expects = model.experiment.stages.iter().any(|s| s.growth.as_ref().is_some_and(|g| g.expect.is_some()));
    match (expects, classifier(model)) {
        (true, _) => entries.push(Entry::Named(model.program.answers())),
        (false, Some((logits, _))) => entries.push(Entry::Named(vec![logits.to_string()])),
        (false, None) => {}
    }
    Ok(entries)
}

/// `counted`: whether it was told where to stop.
fn say_end(outcome: &train::Outcome, path: &Path, talks: bool, counted: bool, console: &Console) {
    match outcome {
        train::Outcome::Finished { checkpoint: Some(checkpoint) } => {
            console.say(&format!("finished: {}", checkpoint.display()));
            if talks {
                let run = shell::word(&path.to_string_lossy());
                console.say(&format!("`tfc generate {run} --prompt TEXT` lets it talk"));
            }
            console.say(&format!("the loss is drawn in {}", path.join("report.html").display()));
        }
        train::Outcome::Finished { checkpoint: None } => console.say("finished; no stage has trained anything"),
        train::Outcome::Stopped { step, checkpoint } => {
            console.say(&format!("stopped after step {step}, saved in {}", checkpoint.display()));
            let same = if counted { "the same command without --steps, or with more," } else { "the same command" };
            console.say(&format!("{same} with --resume goes on from there"));
        }
    }
}

struct Observers {
    progress: Progress,
    record: Record,
}

impl Observer for Observers {
    fn see(&mut self, event: &Event<'_>) -> Result<()> {
        self.progress.see(event)?;
        self.record.see(event)
    }
}
