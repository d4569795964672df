//! How many bytes a training takes: storages, and the largest arena of what it runs.

use crate::compiled::{Compiled, Entry};
use crate::model::Model;
use crate::plan::{Place, Plan, layout};
use crate::size::{SizeValues, Symbol};

/// Bytes that training takes with so many sequences at once, in its largest stage. The machine code, what kernels pack their operands into and the
/// process itself come on top.
pub fn bytes(compiled: &Compiled, rows: u64) -> u64 {
    bytes_of_plans(compiled, &compiled.program.plans.iter().collect::<Vec<_>>(), rows)
}

/// The same in one stage.
pub fn stage_bytes(compiled: &Compiled, stage: usize, rows: u64) -> u64 {
    bytes_of_stage(compiled, &compiled.program.plans.iter().collect::<Vec<_>>(), stage, rows)
}

/// As [`bytes`], with other plans than those of the program.
pub(super) fn bytes_of_plans(compiled: &Compiled, plans: &[&Plan], rows: u64) -> u64 {
    let stages = 0..compiled.model.experiment.stages.len();
    stages.map(|stage| bytes_of_stage(compiled, plans, stage, rows)).max().unwrap_or(0)
}

fn bytes_of_stage(compiled: &Compiled, plans: &[&Plan], stage: usize, rows: u64) -> u64 {
    let sizes = sizes(&compiled.model, stage, rows);
    // Only a micro-batch after the first adds to gradients.
    let batch = compiled.model.experiment.stages[stage].train.as_ref().map_or(1, |train| train.batch);
    let runs = |plan: &&Plan| rows < batch || plan.name != Entry::AddGradient.name();
    let arena = largest_arena(plans.iter().copied().filter(runs), &sizes).unwrap_or(0);
    storages(compiled, &sizes).saturating_add(arena)
}

/// Of the stage with the most parameters, at one sequence.
pub(super) fn largest_sizes(compiled: &Compiled) -> SizeValues {
    let all = (0..compiled.model.experiment.stages.len().max(1)).map(|stage| sizes(&compiled.model, stage, 1));
    all.max_by_key(|sizes| storages(compiled, sizes)).expect("bug in tfc: a training has a stage")
}

fn storages(compiled: &Compiled, sizes: &SizeValues) -> u64 {
    let bytes = |elements: i64| elements.max(0).saturating_mul(4) as u64;
    let all = compiled.storages();
    all.iter().fold(0u64, |sum, (_, ty)| sum.saturating_add(bytes(ty.elements().eval(sizes))))
}

/// Bytes of the largest arena that an entry takes at these sizes; None where nothing was compiled.
pub fn arena_bytes(compiled: &Compiled, sizes: &SizeValues) -> Option<u64> {
    largest_arena(compiled.program.plans.iter(), sizes)
}

/// Bytes that a call of one entry takes at these sizes: its arena, and all else that it reads and writes.
pub fn call_bytes(plan: &Plan, sizes: &SizeValues) -> u64 {
    let storages = plan.buffers.iter().filter(|buffer| matches!(buffer.place, Place::Storage(_)));
    storages.fold(layout(plan, sizes).arena_bytes, |sum, buffer| sum.saturating_add(buffer.bytes(sizes)))
}

fn largest_arena<'a>(plans: impl Iterator<Item = &'a Plan>, sizes: &SizeValues) -> Option<u64> {
    plans.map(|plan| layout(plan, sizes).arena_bytes).max()
}

fn sizes(model: &Model, stage: usize, rows: u64) -> SizeValues {
    let sequence = model.context.unwrap_or(1);
    model.stage_sizes(stage).with(Symbol::BATCH, rows as i64).with(Symbol::SEQUENCE, sequence)
}
