//! What to leave first: a ladder from keeping all to keeping least, each rung the one before and the role that frees the most bytes for an
//! operation that has to be done again.

use super::parts::Parts;
use crate::fuse::cost;
use crate::graph::{Graph, NodeId};
use crate::optimization::{Disabled, Optimization};
use crate::size::SizeValues;
use crate::stages::node_flops;

/// A set of roles, and what it means at the sizes that the ladder was made for.
#[derive(Clone, Debug, PartialEq)]
pub struct Rung {
    /// In the order in which they were found worth it.
    pub recomputed: Vec<String>,
    /// Floating-point operations that are done again in one call.
    pub flops: f64,
    /// What is kept from the forward to the backward part.
    pub kept_bytes: u64,
}

/// Of the graph of a gradient after all other passes. The first rung keeps all.
pub fn ladder(graph: &Graph, sizes: &SizeValues, disabled: &Disabled) -> Vec<Rung> {
    let parts = Parts::of(graph, disabled);
    let rung = |recomputed: Vec<String>| {
        let again = parts.again(&recomputed);
        let flops = again.nodes.iter().fold(0.0, |sum, node| sum + work(graph, *node, sizes));
        let bytes = |elements: i64| 4 * elements.max(0) as u64;
        let kept_bytes = again.kept.iter().map(|value| bytes(graph.ty(*value).elements().eval(sizes))).sum();
        Rung { recomputed, flops, kept_bytes }
    };
    let mut rungs = vec![rung(Vec::new())];
    if disabled.has(Optimization::Checkpointing) {
        return rungs;
    }
    loop {
        let last = &rungs[rungs.len() - 1];
        let rest = parts.roles().filter(|role| !last.recomputed.contains(role));
        let next = rest.map(|role| rung([last.recomputed.as_slice(), std::slice::from_ref(role)].concat()));
        // Of equals the first by name, so that nothing but the graph and the sizes decides.
        let better = |best: Rung, next: Rung| if worth(last, &next) > worth(last, &best) { next } else { best };
        let best = next.filter(|next| next.kept_bytes < last.kept_bytes).reduce(better);
        // What frees nothing on its own may do so with others: the last rung keeps only what goes on from layer to layer.
        let all = || Some(rung(parts.roles().cloned().collect())).filter(|all| all.kept_bytes < last.kept_bytes);
        let Some(next) = best.or_else(all) else { return rungs };
        rungs.push(next);
    }
}

/// Bytes that are freed for an operation that is done again.
fn worth(before: &Rung, after: &Rung) -> f64 {
    (before.kept_bytes - after.kept_bytes) as f64 / (after.flops - before.flops).max(1.0)
}

fn work(graph: &Graph, node: NodeId, sizes: &SizeValues) -> f64 {
    let elements = graph.node(node).types[0].elements().eval(sizes) as f64;
    node_flops(graph, node, sizes) + elements * f64::from(cost(&graph.node(node).op))
}
