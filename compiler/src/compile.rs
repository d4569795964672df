//! From a checked model to everything a device needs: the pipeline, a line a stage.

use crate::compiled::{Compiled, Entry};
use crate::graph::{Graph, Type};
use crate::lower::lower;
use crate::model::Model;
use crate::optimization::{Disabled, Optimization};
use crate::passes;
use crate::plan::{Program, compile_entry};
use crate::precision::Precision;
use crate::recompute::recompute;
use std::collections::BTreeSet;

/// Compiles the entries, each in the precisions that it is called in. Sizes stay symbols: the result serves every stage of the model.
pub fn compile(model: Model, entries: &[Entry]) -> Compiled {
    compile_without(model, entries, &Disabled::default())
}

/// As [`compile`], without what is of no use on a GPU.
pub fn compile_for_gpu(model: Model, entries: &[Entry]) -> Compiled {
    compile_without(model, entries, &Disabled::of_gpus())
}

/// As [`compile`], with some optimizations switched off.
pub fn compile_without(model: Model, entries: &[Entry], disabled: &Disabled) -> Compiled {
    compile_recomputing(model, entries, disabled, &[])
}

/// As [`compile_without`], for sessions that train nothing: weights stand in memory as products read them. Only for devices that know them so.
pub fn compile_for_inference(model: Model, entries: &[Entry], disabled: &Disabled) -> Compiled {
    let options = Options { disabled, recomputed: &[], reads_weights: !disabled.has(Optimization::Weights) };
    compile_with(model, entries, options)
}

/// As [`compile_without`]; the backward part of a training computes again what has one of the roles `recomputed` ([`crate::budget`] finds them).
pub fn compile_recomputing(model: Model, entries: &[Entry], disabled: &Disabled, recomputed: &[String]) -> Compiled {
    compile_with(model, entries, Options { disabled, recomputed, reads_weights: false })
}

#[derive(Clone, Copy)]
struct Options<'a> {
    disabled: &'a Disabled,
    recomputed: &'a [String],
    /// Whether weights are read in the place of parameters.
    reads_weights: bool,
}

/// The entries are compiled side by side and put together in their order.
fn compile_with(model: Model, entries: &[Entry], options: Options) -> Compiled {
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let part = |entry| part(&model, entry, options);
        let compiling: Vec<_> = entries.iter().map(|entry| scope.spawn(move || part(entry))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Part>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        compiling.into_iter().map(join).collect()
    });
    let mut program = Program::default();
    let mut graphs = Vec::new();
    let mut caches = Vec::new();
    for part in parts {
        part.plans.into_iter().for_each(|plan| program.absorb(plan));
        graphs.push(part.graph);
        caches.extend(part.caches);
    }
    Compiled { model, graphs, program, caches, disabled: options.disabled.clone() }
}

/// What one entry becomes, whatever the others are.
struct Part {
    graph: Graph,
    /// A plan for each precision that it is called in, with its kernels.
    plans: Vec<Program>,
    caches: Vec<Type>,
}

fn part(model: &Model, entry: &Entry, Options { disabled, recomputed, reads_weights }: Options) -> Part {
    let (graph, caches) = lower(model, entry);
    let graph = passes::optimize(&graph, &disabled.names(), |_, _| {});
    let graph = match entry {
        Entry::Gradient | Entry::AddGradient => recompute(&graph, recomputed, disabled),
        Entry::Update | Entry::Evaluate | Entry::Decode | Entry::Named(_) | Entry::Grad => graph,
    };
    let plan = |precision| match reads_weights {
        true => compile_entry(&passes::weights(&graph, precision), precision, disabled),
        false => compile_entry(&graph, precision, disabled),
    };
    let measures = !reads_weights && measures_growth(model, entry);
    Part { plans: precisions(model, measures).into_iter().map(plan).collect(), graph, caches }
}

/// Those of the stages; f32 besides, where it is measured what growth does to the function.
fn precisions(model: &Model, measures: bool) -> BTreeSet<Precision> {
    let of_stages = (0..model.experiment.stages.len().max(1)).map(|stage| model.stage_precision(stage));
    of_stages.chain(measures.then_some(Precision::F32)).collect()
}

/// Whether a training calls the entry to find out what growth does.
fn measures_growth(model: &Model, entry: &Entry) -> bool {
    match entry {
        Entry::Evaluate | Entry::Named(_) => model.experiment.stages.iter().any(|stage| stage.growth.is_some()),
        Entry::Gradient | Entry::AddGradient | Entry::Update | Entry::Decode | Entry::Grad => false,
    }
}

/// The graph of an entry as it comes from lowering, before any pass.
pub fn lowered(model: &Model, entry: &Entry) -> Graph {
    lower(model, entry).0
}
