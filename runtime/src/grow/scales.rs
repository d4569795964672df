//! The multipliers τ as state: their rule at the start, kept or retuned at growth, on their way from step to step.

use crate::Result;
use crate::checkpoint::{Ramp, ScaleState, State};
use crate::device::{HostTensor, Session};
use tfc_compiler::model::{Model, ScalePolicy};
use tfc_compiler::size::SizeValues;
use tfc_compiler::storage::Storage;

/// Every scale at its rule.
pub fn by_rule(model: &Model, sizes: &SizeValues) -> Vec<ScaleState> {
    let at_rule = |scale: &tfc_compiler::model::Scale| ScaleState {
        scale: scale.path.clone(),
        value: scale.rule.eval(sizes),
        ramp: None,
    };
    model.scales.iter().map(at_rule).collect()
}

/// What growth says of all scales. A scale that is kept stays where it is, also halfway to its rule.
pub fn at_growth(model: &Model, session: &dyn Session, state: &mut State, policy: ScalePolicy) {
    let (steps, since) = (state.done.steps, state.done.steps as i64);
    for (scale, definition) in state.scales.iter_mut().zip(&model.scales) {
        scale.ramp = match policy {
            ScalePolicy::Keep => None,
            ScalePolicy::Retune { over } => Some(Ramp { from: scale.value, since, over }),
        };
        advance(scale, definition.rule.eval(session.sizes()), steps);
    }
}

/// Moves the scales that are on their way to where they belong for the next update.
///
/// # Errors
/// The device gave up.
pub fn step(model: &Model, session: &mut dyn Session, state: &mut State) -> Result<()> {
    for (i, (scale, definition)) in state.scales.iter_mut().zip(&model.scales).enumerate() {
        if scale.ramp.is_some() {
            advance(scale, definition.rule.eval(session.sizes()), state.done.steps);
            session.write(Storage::Scale(i as u32), &HostTensor::scalar(scale.value))?;
        }
    }
    Ok(())
}

/// Writes all scales.
///
/// # Errors
/// The device gave up.
pub fn write(session: &mut dyn Session, state: &State) -> Result<()> {
    let mut scales = state.scales.iter().enumerate();
    scales.try_for_each(|(i, scale)| session.write(Storage::Scale(i as u32), &HostTensor::scalar(scale.value)))
}

/// On the straight line where it stands after `steps` updates of the run; at the rule, and free, where it ends.
fn advance(scale: &mut ScaleState, rule: f64, steps: u64) {
    let Some(Ramp { from, since, over }) = scale.ramp else { return };
    let progress = (steps as i64).saturating_sub(since).max(0);
    if progress as u64 >= over {
        *scale = ScaleState { scale: std::mem::take(&mut scale.scale), value: rule, ramp: None };
    } else {
        scale.value = from + (rule - from) * (progress as f64 / over as f64);
    }
}
