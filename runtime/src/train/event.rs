//! What a run tells of itself while it goes on.

use crate::Result;
use crate::checkpoint::Done;
use crate::confusion::Confusion;
use crate::evaluate::Evaluation;
use crate::grow::Grown;
use std::path::Path;
use tfc_compiler::model::Stage;

/// Sees what happens: a progress bar, plain lines, metrics, a report. An error stops the run.
pub trait Observer {
    fn see(&mut self, event: &Event<'_>) -> Result<()>;
}

#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A stage begins, or goes on after a resume: so much of the `run` is done, and `done` updates of the stage's `length`, where
    /// that is known.
    Stage {
        stage: &'a Stage,
        index: usize,
        run: Done,
        done: u64,
        length: Option<u64>,
        /// Whether an evaluation after the last update is to be made, whatever was measured of it.
        owes: bool,
    },
    /// The model has grown into the stage that is about to begin.
    Grown {
        stage: &'a Stage,
        step: u64,
        grown: &'a Grown,
        /// How long it took, measuring included.
        seconds: f64,
    },
    Step(Step),
    /// An evaluation on the validation set `set` has done so many of its sequences.
    Evaluating {
        set: &'a str,
        done: u64,
        of: u64,
    },
    /// After update `step`, on the validation set `set`; its name is empty if the spec gives it none.
    Evaluated {
        step: u64,
        tokens: u64,
        flops: f64,
        set: &'a str,
        /// Whether it is the first of the sets: the one that stands for the run.
        first: bool,
        evaluation: &'a Evaluation,
    },
    /// At the end of a stage of a classifier, on the validation set `set`.
    Confused {
        set: &'a str,
        confusion: &'a Confusion,
    },
    Saved {
        step: u64,
        path: &'a Path,
    },
}

/// One update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Counted from 1 over the run.
    pub step: u64,
    /// Tokens and FLOPs of the run with this update.
    pub tokens: u64,
    pub flops: f64,
    /// The mean over all targets of the batch, before the update.
    pub loss: f64,
    pub gradient_norm: f64,
    pub learning_rate: f64,
    /// Of this update alone.
    pub tokens_per_second: f64,
}
