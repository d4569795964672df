//! Whole runs of the fake model: the arithmetic against a plain loop, stopping and resuming, growth, ends, trouble.

mod arithmetic;
mod course;
mod reference;
mod resuming;
mod trouble;

use super::*;
use crate::fake::{self, FakeSession, Numbers};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// A run and all it said.
pub struct Told {
    pub outcome: Result<Outcome>,
    pub session: FakeSession,
    pub events: Vec<String>,
    pub losses: Vec<f64>,
}

/// How a run is started. What is left out is as in most tests.
pub struct Options {
    pub micro_batch: u64,
    pub until_step: Option<u64>,
    pub interrupt_at: Option<u64>,
    pub accept: bool,
    /// Whether the model draws random numbers.
    pub random: bool,
    pub data: fn(&Stage) -> StageData,
    pub overflow_at: Option<usize>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            micro_batch: 2,
            until_step: None,
            interrupt_at: None,
            accept: false,
            random: true,
            data: |_| data(Numbers::new("train", 23)),
            overflow_at: None,
        }
    }
}

pub fn data(train: Numbers) -> StageData {
    let validate: Vec<(String, Box<dyn Batches>)> = vec![
        ("validate".to_string(), Box::new(Numbers::new("validate", 7))),
        ("other".to_string(), Box::new(Numbers::new("other", 4))),
    ];
    StageData { train: Box::new(train), validate, tokenizer: Some("{}".to_string()) }
}

/// Writes down what it sees, without what depends on the clock; interrupts when asked to.
struct Recorder<'a> {
    events: Vec<String>,
    losses: Vec<f64>,
    interrupt_at: Option<u64>,
    interrupted: &'a AtomicBool,
}

impl Observer for Recorder<'_> {
    fn see(&mut self, event: &Event<'_>) -> Result<()> {
        let text = match event {
            Event::Stage { stage, index, run, done, length, .. } => {
                format!("stage {index} `{}` at step {}, {done} of {length:?}", stage.name, run.steps)
            }
            Event::Grown { stage, step, grown, .. } => format!("grown into `{}` at step {step}: {grown:?}", stage.name),
            Event::Step(step) => {
                self.losses.push(step.loss);
                if self.interrupt_at == Some(step.step) {
                    self.interrupted.store(true, Ordering::Relaxed);
                }
                assert!(step.tokens_per_second > 0.0);
                format!("{:?}", Step { tokens_per_second: 0.0, ..*step })
            }
            Event::Evaluating { set, done, of } => format!("evaluating `{set}`: {done} of {of}"),
            Event::Evaluated { step, set, evaluation, .. } => format!("evaluated `{set}` at {step}: {evaluation:?}"),
            Event::Confused { set, confusion } => format!("confused `{set}`: {confusion:?}"),
            Event::Saved { path, .. } => format!("saved {}", path.file_name().unwrap().display()),
        };
        self.events.push(text);
        Ok(())
    }
}

/// Starts a run of the fake model in `path`, or goes on with the one that is there.
pub fn run(stages: &[Stage], path: &Path, options: Options) -> Told {
    let compiled = fake::compiled(stages.to_vec(), options.random);
    let mut session = FakeSession::new(&compiled);
    session.overflow_at = options.overflow_at;
    let Said { outcome, events, losses } = run_on(&compiled, &mut session, path, &options);
    Told { outcome, session, events, losses }
}

/// How a run ended, and all it said.
pub struct Said {
    pub outcome: Result<Outcome>,
    pub events: Vec<String>,
    pub losses: Vec<f64>,
}

/// The same of any model on any session.
pub fn run_on(compiled: &Compiled, session: &mut dyn Session, path: &Path, options: &Options) -> Said {
    let resumed = path.join("model.tfm").exists();
    let folder = if resumed { RunFolder::open(path) } else { RunFolder::create(path, "the spec") }.unwrap();
    let interrupted = AtomicBool::new(false);
    let mut recorder = Recorder {
        events: Vec::new(),
        losses: Vec::new(),
        interrupt_at: options.interrupt_at,
        interrupted: &interrupted,
    };
    let setup = Setup {
        compiled,
        session,
        data: &mut |stage| Ok((options.data)(stage)),
        observer: &mut recorder,
        folder: &folder,
        plan: PlanState::of(options.micro_batch),
        flops_per_token: &[10.0, 20.0, 30.0, 40.0],
        interrupted: &interrupted,
        until_step: options.until_step,
    };
    let outcome = if resumed { resume(setup, &compiled.model, "the spec", options.accept) } else { train(setup) };
    Said { outcome, events: recorder.events, losses: recorder.losses }
}

/// What must not depend on where a run was stopped.
pub fn contents(checkpoint: &Path) -> Vec<(String, Vec<u8>)> {
    let mut names: Vec<_> = std::fs::read_dir(checkpoint).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names.iter().map(|path| (path.file_name().unwrap().display().to_string(), std::fs::read(path).unwrap())).collect()
}

pub fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
