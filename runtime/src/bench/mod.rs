//! What benchmarks and profiles do over and over: training steps, forward passes, decoding. By the code that training and generation run,
//! on inputs drawn at random, so that no data is needed.

mod decoding;
mod forward;
mod inputs;
mod repetitions;
#[cfg(test)]
mod tests;
mod training;

pub use decoding::Decoding;
pub use forward::Forward;
pub use inputs::RandomInputs;
pub use repetitions::{Samples, repeat, repeat_when_asked};
pub use training::Training;

use crate::checkpoint::{PlanState, StageState, State};
use crate::device::Session;
use crate::sizes::sizes_at;
use crate::{Result, grow, init};
use tfc_compiler::model::Model;

/// One thing that is done over and over.
pub enum Work<'a> {
    Training(Box<Training<'a>>),
    Forward(Forward),
    Decoding(Decoding<'a>),
}

impl Work<'_> {
    /// What comes before each repetition and does not count.
    pub fn prepare(&mut self, session: &mut dyn Session) -> Result<()> {
        match self {
            Work::Training(_) | Work::Forward(_) => Ok(()),
            Work::Decoding(decoding) => decoding.see_prompt(session),
        }
    }

    pub fn run(&mut self, session: &mut dyn Session) -> Result<()> {
        match self {
            Work::Training(training) => training.run(session),
            Work::Forward(forward) => forward.run(session),
            Work::Decoding(decoding) => decoding.run(session),
        }
    }

    /// How many tokens (or images, or rows) one repetition works on.
    pub fn tokens(&self) -> u64 {
        match self {
            Work::Training(training) => training.tokens(),
            Work::Forward(forward) => forward.tokens(),
            Work::Decoding(decoding) => decoding.tokens(),
        }
    }
}

/// A session with parameters and scales as at the start of a run that begins with this stage.
pub(crate) fn begin(model: &Model, session: &mut dyn Session, stage: usize, micro_batch: u64) -> Result<State> {
    let sizes = sizes_at(model, micro_batch, &model.experiment.stages[stage].tokens);
    session.resize(&sizes)?;
    init::initialize(model, model.experiment.seed, session)?;
    let mut state = State::new(model, &sizes, PlanState::of(micro_batch));
    state.stage = StageState::new(stage, &model.experiment.stages[stage].name);
    grow::scales::write(session, &state)?;
    Ok(state)
}

/// In a whole sequence; 1 where there is none.
fn positions(model: &Model) -> u64 {
    model.context.map_or(1, |context| context as u64)
}
