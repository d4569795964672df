//! Where the memory goes: storages by kind, and what is in the arena when it is fullest.

use super::measure::without_numbers;
use std::collections::BTreeMap;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::plan::{Place, Plan, Step, layout};
use tfc_compiler::size::SizeValues;
use tfc_compiler::storage::Storage;
use tfc_runtime::checkpoint::PlanState;
use tfc_runtime::device::SessionMemory;

/// In bytes.
pub struct Memory {
    /// By kind, the largest first.
    pub storages: Vec<(&'static str, u64)>,
    pub arenas: Vec<Arena>,
    /// As the session has them: all storages, the largest arena, scratch.
    pub session: SessionMemory,
    /// Of a training.
    pub plan: Option<PlanState>,
}

/// Of one plan.
pub struct Arena {
    pub entry: String,
    pub bytes: u64,
    /// The most that is alive at one step, in the arena or lent by gradients that are written later, and what that step computes.
    pub live_bytes: u64,
    pub fullest: String,
    /// What is alive then: name, how many buffers, bytes; the largest first.
    pub buffers: Vec<(String, usize, u64)>,
}

pub fn of(
    compiled: &Compiled,
    sizes: &BTreeMap<usize, SizeValues>,
    session: &SessionMemory,
    plan: Option<PlanState>,
) -> Memory {
    let mut storages: BTreeMap<Storage, u64> = BTreeMap::new();
    let mut arenas = Vec::new();
    for (plan, sizes) in sizes {
        let plan = &compiled.program.plans[*plan];
        for buffer in &plan.buffers {
            if let Place::Storage(storage) = buffer.place {
                storages.insert(storage, buffer.bytes(sizes));
            }
        }
        arenas.push(arena(plan, sizes));
    }
    let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
    storages.iter().for_each(|(storage, bytes)| *kinds.entry(kind(*storage)).or_default() += bytes);
    let mut storages: Vec<_> = kinds.into_iter().collect();
    storages.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    Memory { storages, arenas, session: *session, plan }
}

fn arena(plan: &Plan, sizes: &SizeValues) -> Arena {
    let layout = layout(plan, sizes);
    let alive = |step: u32| {
        plan.buffers.iter().filter_map(move |buffer| match buffer.place {
            Place::Arena { first, last } if (first..=last).contains(&step) => {
                Some((buffer, buffer.bytes(&plan.sizes_at(first, sizes))))
            }
            Place::Arena { .. } | Place::Storage(_) => None,
        })
    };
    let total = |step: &u32| alive(*step).map(|(_, bytes)| bytes).sum::<u64>();
    let fullest = (0..plan.steps.len() as u32).max_by_key(total).unwrap_or(0);
    let mut groups: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    for (buffer, bytes) in alive(fullest) {
        let group = groups.entry(without_numbers(&buffer.name)).or_default();
        *group = (group.0 + 1, group.1 + bytes);
    }
    let mut buffers: Vec<_> = groups.into_iter().map(|(name, (count, bytes))| (name, count, bytes)).collect();
    buffers.sort_by_key(|(_, _, bytes)| std::cmp::Reverse(*bytes));
    let what = plan.steps.get(fullest as usize).map_or(String::new(), |step| label(plan, step));
    Arena {
        entry: plan.name.clone(),
        bytes: layout.arena_bytes,
        live_bytes: layout.live_bytes,
        fullest: format!("step {fullest}, {what}"),
        buffers,
    }
}

fn label(plan: &Plan, step: &Step) -> String {
    match step {
        Step::Launch(launch) | Step::RowEpilogue { product: launch, .. } => launch.label.clone(),
        Step::Zero(buffer) => format!("zero {}", plan.buffers[buffer.0 as usize].name),
        Step::Chunks { body, .. } => {
            body.first().map_or_else(|| "chunks".into(), |first| format!("chunks of {}", label(plan, first)))
        }
    }
}

fn kind(storage: Storage) -> &'static str {
    match storage {
        Storage::Input(_) => "inputs",
        Storage::Output(_) => "outputs",
        Storage::Parameter(_) | Storage::Weight(..) => "weights",
        Storage::Gradient(_) => "gradients",
        Storage::FirstMoment(_) => "first moments",
        Storage::SecondMoment(_) => "second moments",
        Storage::Rows(..) => "row states",
        Storage::Scale(_) => "scales",
        Storage::Cache(_) => "caches",
        Storage::Table(_) => "tables",
    }
}
