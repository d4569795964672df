//! Growth: the model becomes larger (or smaller) between two stages, within one session and without compiling anything.
//!
//! 1. Axes that shrink bring their most important rows to the front (`shrink`).
//! 2. The session is resized: the leading rows of every tensor stay, new ones are zero.
//! 3. New rows are drawn, or made by splitting old ones (`new_rows`, `split`).
//! 4. Every τ stays or returns to its rule (`scales`); moments stay or are reset; the segments remember what is new.
//!
//! What it did to the function is measured before and after, on the same sequences (`measure`).

mod by_hand;
mod measure;
mod new_rows;
pub mod scales;
mod shrink;
mod split;

pub use by_hand::grow_by_hand;
use measure::Probe;
pub use measure::{Grown, check};

#[cfg(test)]
mod tests;

use crate::Result;
use crate::checkpoint::{State, zero_moments};
use crate::device::Session;
use crate::rows::{self, Lineage, Segment};
use crate::sizes::{sizes_at, tokens_by_path};
use crate::train::Batches;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::model::{GrowthInit, Model, Stage};
use tfc_compiler::precision::Precision;
use tfc_compiler::size::{SizeValues, Symbol};

/// What growth is measured on: the first `rows` sequences, at most `micro_batch` at once.
pub struct Measure<'a> {
    pub batches: &'a dyn Batches,
    pub rows: u64,
    pub micro_batch: u64,
}

/// Grows session and state, which fit each other, into stage `index`, and measures the model before and after: in f32, for rounding
/// would hide what growth changes.
///
/// # Errors
/// As [`grow`].
pub fn grow_measured(
    compiled: &Compiled,
    session: &mut dyn Session,
    state: &mut State,
    index: usize,
    measure: &Measure<'_>,
) -> Result<Grown> {
    let Measure { batches, rows, micro_batch } = measure;
    let growth = compiled.model.experiment.stages[index].growth.as_ref();
    let expect = growth.is_some_and(|growth| growth.expect.is_some());
    session.resize(&state.sizes(&compiled.model, *micro_batch)?)?;
    session.set_precision(Precision::F32);
    let before = Probe::new(compiled, session, *batches, *rows, *micro_batch, expect)?;
    let grown = grow(compiled, session, state, index)?;
    let after = Probe::new(compiled, session, *batches, *rows, *micro_batch, expect)?;
    Ok(before.compare(after, grown))
}

/// Grows session and state into stage `index`, and counts parameters; measures nothing. Nothing happens where the stage has no growth.
///
/// # Errors
/// The sizes do not go with the way of growing, or the machine has too little memory.
pub fn grow(compiled: &Compiled, session: &mut dyn Session, state: &mut State, index: usize) -> Result<Grown> {
    let model = &compiled.model;
    let stage = &model.experiment.stages[index];
    let before = session.sizes().clone();
    let parameters = model.parameter_count(&before);
    let Some(growth) = &stage.growth else {
        return Ok(Grown { parameters: [parameters; 2], loss: None, change: None });
    };
    let after = sizes_at(model, before.get(Symbol::BATCH) as u64, &stage.tokens);
    if let GrowthInit::Split { .. } = growth.init {
        split::check(model, &before, &after)?;
    }

    state.seed = stage.seed;
    shrink::shrink(model, session, state, &after)?;
    session.resize(&after)?;
    if !growth.keep_optimizer {
        reset_optimizer(model, session, state)?;
    }
    match &growth.init {
        GrowthInit::New { keys, values } => new_rows::draw(model, session, state, &before, [keys, values])?,
        GrowthInit::Split { noise } => split::split(model, session, state, &before, *noise)?,
    }
    extend_lineages(state, model, index, growth, [&before, &after]);
    scales::at_growth(model, session, state, growth.scale);
    scales::write(session, state)?;
    state.tokens = tokens_by_path(model, &after);
    if grows(model, stage, &before) {
        state.last_growth = Some(index);
    }
    if !growth.continue_data {
        state.data.cursor = 0;
    }
    Ok(Grown { parameters: [parameters, model.parameter_count(&after)], loss: None, change: None })
}

/// Whether any axis becomes longer.
fn grows(model: &Model, stage: &Stage, before: &SizeValues) -> bool {
    model.token_axes.iter().zip(&stage.tokens).any(|(axis, n)| *n > before.get(axis.symbol))
}

fn reset_optimizer(model: &Model, session: &mut dyn Session, state: &mut State) -> Result<()> {
    zero_moments(model, session)?;
    state.rows.iter_mut().for_each(Lineage::forget_updates);
    Ok(())
}

/// Adds the new rows to the segments. Copies made by splitting have the moments of their originals, so they go on with their
/// count of updates; other new rows start from none.
fn extend_lineages(
    state: &mut State,
    model: &Model,
    stage: usize,
    growth: &tfc_compiler::model::Growth,
    [before, after]: [&SizeValues; 2],
) {
    let birth = state.done.steps;
    for (lineage, parameter) in state.rows.iter_mut().zip(&model.parameters) {
        let [old, now] = [before, after].map(|sizes| rows::rows(parameter, sizes));
        for (axis, (old, now)) in old.into_iter().zip(now).enumerate().filter(|(_, (old, now))| now > old) {
            let known: Vec<(Segment, Option<usize>)> =
                lineage.axes[axis].iter().copied().zip((0..).map(Some)).collect();
            let new = match growth.init {
                GrowthInit::New { .. } => vec![(Segment { rows: now - old, birth, stage }, None)],
                GrowthInit::Split { .. } => {
                    let copies = known.iter().map(|(segment, from)| (Segment { birth, stage, ..*segment }, *from));
                    copies.collect::<Vec<_>>().repeat((now / old) as usize - 1)
                }
            };
            lineage.replace(axis, [known, new].concat());
        }
    }
}
