//! From a checked model to everything a device needs: the pipeline, a line a stage.

use crate::compiled::{Compiled, Entry};
use crate::graph::Graph;
use crate::lower::lower;
use crate::model::Model;
use crate::optimization::Disabled;
use crate::passes;
use crate::plan::{Program, compile_entry};
use crate::precision::Precision;
use std::collections::BTreeSet;

/// Compiles the entries, each in the precisions that it is called in. Sizes stay symbols: the result serves every stage of the model.
pub fn compile(model: Model, entries: &[Entry]) -> Compiled {
    compile_without(model, entries, &Disabled::default())
}

/// As [`compile`], with some optimizations switched off.
pub fn compile_without(model: Model, entries: &[Entry], disabled: &Disabled) -> Compiled {
    let mut program = Program::default();
    let mut graphs = Vec::new();
    let mut caches = Vec::new();
    for entry in entries {
        let (graph, entry_caches) = lower(&model, entry);
        let graph = passes::optimize(&graph, &disabled.names(), |_, _| {});
        for precision in precisions(&model, entry) {
            compile_entry(&graph, precision, disabled, &mut program);
        }
        graphs.push(graph);
        caches.extend(entry_caches);
    }
    Compiled { model, graphs, program, caches }
}

/// Those of the stages; f32 besides, where it is measured what growth does to the function.
fn precisions(model: &Model, entry: &Entry) -> BTreeSet<Precision> {
    let stages = &model.experiment.stages;
    let measures = match entry {
        Entry::Evaluate | Entry::Named(_) => stages.iter().any(|stage| stage.growth.is_some()),
        Entry::Gradient | Entry::AddGradient | Entry::Update | Entry::Decode | Entry::Grad => false,
    };
    let of_stages = (0..stages.len().max(1)).map(|stage| model.stage_precision(stage));
    of_stages.chain(measures.then_some(Precision::F32)).collect()
}

/// The graph of an entry as it comes from lowering, before any pass.
pub fn lowered(model: &Model, entry: &Entry) -> Graph {
    lower(model, entry).0
}
