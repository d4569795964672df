//! `from = CHECKPOINT`: a stage that is loaded and checked in place of being trained.

use crate::checkpoint::{State, load_moments, load_parameters, locate, zero_moments};
use crate::device::Session;
use crate::rows::{self, Lineage};
use crate::{Result, grow};
use std::path::Path;
use tfc_compiler::compiled::Compiled;

/// Loads the parameters, which must be those of the present stage, into the session, and the moments where there are some. What
/// the checkpoint's own state says of its rows and scales is taken over; a folder with nothing but parameters will do.
pub fn load(path: &str, compiled: &Compiled, session: &mut dyn Session, state: &mut State) -> Result<()> {
    let checkpoint = locate(Path::new(path))?;
    let model = &compiled.model;
    load_parameters(&checkpoint, compiled, session)?;
    zero_moments(model, session)?;
    let sizes = session.sizes().clone();
    state.tokens = crate::sizes::tokens_by_path(model, &sizes);
    state.rows = rows::lineages(model, &sizes, state.done.steps, state.stage.index);
    state.scales = grow::scales::by_rule(model, &sizes);
    state.last_growth = None;

    if checkpoint.join("state.json").exists() {
        take_over(&checkpoint, compiled, session, state)?;
    }
    // What is measured where the next stage grows is measured with them.
    grow::scales::write(session, state)?;
    Ok(())
}

/// What the checkpoint's state says of scales and rows, and the moments.
fn take_over(checkpoint: &Path, compiled: &Compiled, session: &mut dyn Session, state: &mut State) -> Result<()> {
    let theirs = State::read(&checkpoint.join("state.json"))?;
    for scale in &mut state.scales {
        if let Some(known) = theirs.scales.iter().find(|known| known.scale == scale.scale) {
            *scale = known.clone().taken_over(theirs.done.steps, state.done.steps);
        }
    }
    if checkpoint.join("optimizer.safetensors").exists() {
        load_moments(checkpoint, compiled, session)?;
        let sizes = session.sizes();
        for (lineage, parameter) in state.rows.iter_mut().zip(&compiled.model.parameters) {
            let fits =
                |known: &&Lineage| known.parameter == parameter.path && known.rows() == rows::rows(parameter, sizes);
            if let Some(known) = theirs.rows.iter().find(fits) {
                // Their stages are not ours: all of these rows are from before our first growth.
                (lineage.axes, lineage.updates) = (known.axes.clone(), known.updates.clone());
                lineage.segments_mut().for_each(|segment| segment.stage = state.stage.index);
            }
        }
    }
    Ok(())
}
