//! What a training does to stay within a budget of memory: how many sequences go through the model at once, and what the backward part
//! computes again instead of keeping it ([`crate::recompute`]). Both are decided together, by the time that they are predicted to take, as a
//! function of the model, the optimizations and the budget alone.
//!
//! Every micro-batch but the first reads the weights and the gradients once more and writes the gradients; what is computed again costs its
//! operations for every sequence. So a run first takes more micro-batches, and recomputes where a single sequence does not fit, or where the
//! model is so large and the sequences so short that another micro-batch would cost more.

use crate::compile::{compile_recomputing, compile_without};
use crate::compiled::{Compiled, Entry};
use crate::model::Model;
use crate::optimization::Disabled;
use crate::plan::layout;
use crate::recompute::{Rung, ladder};
use crate::size::{Size, SizeValues, Symbol};

/// What a processor computes in the time in which one byte comes from memory: the order of magnitude, for predictions.
const FLOPS_PER_BYTE: f64 = 8.0;

/// How often another micro-batch touches every parameter: weights forward and backward, gradients read and written.
const TOUCHES: f64 = 4.0;

/// Kept with a run, so that it goes on as it began, whatever memory there is then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The most sequences that go through the model at once, in any stage.
    pub micro_batch: u64,
    /// The roles of values that are computed again.
    pub recomputed: Vec<String>,
}

/// No decision fits: even one sequence at a time takes `least` bytes of the `given` ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLittle {
    pub least: u64,
    pub given: u64,
}

/// Compiles the entries of a training for a budget in bytes, and says how.
///
/// # Errors
/// Nothing fits.
pub fn decide(
    model: Model,
    entries: &[Entry],
    disabled: &Disabled,
    budget: u64,
) -> Result<(Compiled, Decision), TooLittle> {
    let batch = model.largest_batch();
    let whole = compile_without(model, entries, disabled);
    if bytes(&whole, batch) <= budget {
        return Ok((whole, Decision { micro_batch: batch, recomputed: Vec::new() }));
    }
    let mut least = bytes(&whole, 1);
    let mut best: Option<(f64, Compiled, Decision)> = None;
    for Rung { recomputed, flops, .. } in rungs(&whole, disabled) {
        let recomputing = batch as f64 * flops;
        if best.as_ref().is_some_and(|(cost, ..)| *cost <= recomputing) {
            break;
        }
        let compiled = match recomputed.is_empty() {
            true => whole.clone(),
            false => compile_recomputing(whole.model.clone(), entries, disabled, &recomputed),
        };
        least = least.min(bytes(&compiled, 1));
        let Some(micro_batch) = fitting(batch, budget, &|rows| bytes(&compiled, rows)) else { continue };
        let cost = recomputing + (batch.div_ceil(micro_batch) - 1) as f64 * micro_batch_cost(&compiled);
        if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
            best = Some((cost, compiled, Decision { micro_batch, recomputed }));
        }
    }
    best.map(|(_, compiled, decision)| (compiled, decision)).ok_or(TooLittle { least, given: budget })
}

/// Of the gradient, at the sizes of the largest stage and one sequence.
fn rungs(compiled: &Compiled, disabled: &Disabled) -> Vec<Rung> {
    let graph = compiled.graph(Entry::Gradient.name()).expect("bug in tfc: a training has a gradient");
    ladder(graph, &sizes(&compiled.model, largest_stage(compiled), 1), disabled)
}

fn largest_stage(compiled: &Compiled) -> usize {
    let stages = 0..compiled.model.experiment.stages.len();
    stages.max_by_key(|stage| bytes_of_stage(compiled, *stage, 1)).unwrap_or(0)
}

/// In operations.
fn micro_batch_cost(compiled: &Compiled) -> f64 {
    let sizes = sizes(&compiled.model, largest_stage(compiled), 1);
    let elements = |shape: &[Size]| Size::product(shape).eval(&sizes) as f64;
    let parameters: f64 = compiled.model.parameters.iter().map(|parameter| elements(&parameter.shape)).sum();
    FLOPS_PER_BYTE * TOUCHES * 4.0 * parameters
}

/// Bytes that training takes with so many sequences at once, in its largest stage: storages, and the largest arena. The machine code, what
/// kernels pack their operands into and the process itself come on top.
pub fn bytes(compiled: &Compiled, rows: u64) -> u64 {
    let stages = 0..compiled.model.experiment.stages.len();
    stages.map(|stage| bytes_of_stage(compiled, stage, rows)).max().unwrap_or(0)
}

fn bytes_of_stage(compiled: &Compiled, stage: usize, rows: u64) -> u64 {
    let sizes = sizes(&compiled.model, stage, rows);
    let of = |elements: i64| elements.max(0).saturating_mul(4) as u64;
    let storages =
        compiled.storages().iter().fold(0u64, |sum, (_, ty)| sum.saturating_add(of(ty.elements().eval(&sizes))));
    storages.saturating_add(arena_bytes(compiled, &sizes).unwrap_or(0))
}

/// Bytes of the largest arena that an entry takes at these sizes; None where nothing was compiled.
pub fn arena_bytes(compiled: &Compiled, sizes: &SizeValues) -> Option<u64> {
    compiled.program.plans.iter().map(|plan| layout(plan, sizes).arena_bytes).max()
}

fn sizes(model: &Model, stage: usize, rows: u64) -> SizeValues {
    let sequence = model.context.unwrap_or(1);
    model.stage_sizes(stage).with(Symbol::BATCH, rows as i64).with(Symbol::SEQUENCE, sequence)
}

/// The most sequences, up to `batch`, with which at most `budget` bytes are needed; `bytes` grows with their number. None where not even one
/// fits.
fn fitting(batch: u64, budget: u64, bytes: &dyn Fn(u64) -> u64) -> Option<u64> {
    let fits = |rows: u64| bytes(rows) <= budget;
    if !fits(1) {
        return None;
    }
    let (mut fitting, mut above) = (1, batch.max(1) + 1);
    while fitting + 1 < above {
        let middle = fitting + (above - fitting) / 2;
        if fits(middle) { fitting = middle } else { above = middle }
    }
    Some(fitting)
}

#[cfg(test)]
mod tests;
