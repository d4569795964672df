//! Gradients that are zeroed and then added to, as a batch's later micro-batches do it: what writing them in place of that is compared with.

use crate::graph::{Graph, Output, Type};
use crate::storage::Storage;

/// The graph with every gradient added to what stands there, and the gradients that it wrote.
pub fn adding(graph: &Graph) -> (Graph, Vec<(Storage, Type)>) {
    let writes = |output: &&mut Output| matches!(output.target, Storage::Gradient(_)) && !output.accumulate;
    let mut adding = graph.clone();
    let mut written = Vec::new();
    for output in adding.outputs.iter_mut().filter(writes) {
        output.accumulate = true;
        written.push((output.target, graph.ty(output.value).clone()));
    }
    (adding, written)
}
