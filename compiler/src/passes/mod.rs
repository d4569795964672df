//! Passes: pure functions from graph to graph that keep what it computes.
//!
//! The pipeline is the list [`PASSES`], in order. Each pass stands in its own file, rebuilds the graph through the builder, and knows
//! nothing of the others; [`optimize`] verifies after each. Any of them can be left out by name (see [`crate::optimization`]), to find the one that is
//! wrong — but fusion knows no composites, so without `expand` a graph can only be interpreted.

mod canonicalize;
mod cse;
mod dce;
mod expand;
mod rebuild;
mod simplify;
#[cfg(test)]
mod tests;
mod vocabulary;
mod weights;

pub use expand::expand;
pub use vocabulary::vocabulary;
pub use weights::weights;

use crate::graph::{Graph, verify};

#[derive(Clone, Copy, Debug)]
pub struct Pass {
    pub name: &'static str,
    pub run: fn(&Graph) -> Graph,
}

pub const PASSES: [Pass; 8] = [
    Pass { name: "vocabulary", run: vocabulary::vocabulary },
    Pass { name: "dce", run: dce::dce },
    Pass { name: "expand", run: expand },
    Pass { name: "cse", run: cse::cse },
    Pass { name: "simplify", run: simplify::simplify },
    Pass { name: "cse", run: cse::cse },
    Pass { name: "dce", run: dce::dce },
    Pass { name: "canonicalize", run: canonicalize::canonicalize },
];

/// Runs the pipeline without the passes named in `skip`. `watch` sees the graph after each pass that ran, under its name.
pub fn optimize(graph: &Graph, skip: &[&str], mut watch: impl FnMut(&str, &Graph)) -> Graph {
    let mut graph = graph.clone();
    for pass in PASSES.iter().filter(|pass| !skip.contains(&pass.name)) {
        graph = (pass.run)(&graph);
        let violations = verify(&graph);
        assert!(violations.is_empty(), "bug in tfc: after {}: {violations:?}", pass.name);
        watch(pass.name, &graph);
    }
    graph
}
