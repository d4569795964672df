//! From a checked model to everything a device needs: the pipeline, a line a stage.

use crate::compiled::{Compiled, Entry};
use crate::graph::Graph;
use crate::lower::lower;
use crate::model::Model;
use crate::passes;
use crate::plan::{Program, compile_entry};

/// Compiles the entries. Sizes stay symbols: the result serves every stage of the model.
pub fn compile(model: Model, entries: &[Entry]) -> Compiled {
    let mut program = Program::default();
    let mut graphs = Vec::new();
    let mut caches = Vec::new();
    for entry in entries {
        let (graph, entry_caches) = lower(&model, entry);
        let graph = passes::optimize(&graph, &[], |_, _| {});
        compile_entry(&graph, &mut program);
        graphs.push(graph);
        caches.extend(entry_caches);
    }
    Compiled { model, graphs, program, caches }
}

/// The graph of an entry as it comes from lowering, before any pass.
pub fn lowered(model: &Model, entry: &Entry) -> Graph {
    lower(model, entry).0
}
