//! What to leave first: a ladder from keeping all to keeping least, each rung the one before and the role that frees the most bytes for an
//! operation that has to be done again.

use super::parts::{Again, Parts};
use crate::fuse::cost;
use crate::graph::{Graph, NodeId, Value};
use crate::optimization::{Disabled, Optimization};
use crate::size::SizeValues;
use crate::stages::node_flops;
use std::collections::{BTreeMap, BTreeSet};

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

impl Rung {
    fn after(&self, step: &Step, recomputed: Vec<String>) -> Rung {
        let kept_bytes = self.kept_bytes.saturating_add_signed(-step.freed_bytes);
        Rung { recomputed, flops: self.flops + step.flops, kept_bytes }
    }
}

/// Leaving some roles besides those that were left before.
pub(super) struct Step {
    more: Again,
    /// Another step is as it was if it has none of these nodes.
    touched: BTreeSet<NodeId>,
    flops: f64,
    freed_bytes: i64,
}

/// Of the graph of a gradient after all other passes. The first rung keeps all.
pub fn ladder(graph: &Graph, sizes: &SizeValues, disabled: &Disabled) -> Vec<Rung> {
    let parts = Parts::of(graph, disabled);
    let kept_bytes = bytes(graph, &parts.whole.kept, sizes) as u64;
    let whole = Rung { recomputed: Vec::new(), flops: 0.0, kept_bytes };
    match disabled.has(Optimization::Checkpointing) {
        true => vec![whole],
        false => climb(&parts, whole, &|before, roles| step(&parts, before, roles, sizes)),
    }
}

/// Finds the step of every role once, and again where one that is taken changes it.
pub(super) fn climb(parts: &Parts, whole: Rung, step: &dyn Fn(&Again, &[&String]) -> Step) -> Vec<Rung> {
    let mut again = parts.whole.clone();
    let mut steps: BTreeMap<&String, Step> = parts.roles().map(|role| (role, step(&again, &[role]))).collect();
    let mut rungs = vec![whole];
    loop {
        let last = &rungs[rungs.len() - 1];
        let Some(role) = best(&steps) else {
            // What frees nothing on its own may do so with others: the last rung keeps only what goes on from layer to layer.
            let all = step(&again, &steps.into_keys().collect::<Vec<_>>());
            let next = last.after(&all, parts.roles().cloned().collect());
            rungs.extend((all.freed_bytes > 0).then_some(next));
            return rungs;
        };
        let taken = steps.remove(role).expect("bug in tfc: the best of the steps is none of them");
        rungs.push(last.after(&taken, [last.recomputed.as_slice(), std::slice::from_ref(role)].concat()));
        again.add(&taken.more);
        for (role, other) in steps.iter_mut().filter(|(_, other)| !other.touched.is_disjoint(&taken.touched)) {
            *other = step(&again, &[role]);
        }
    }
}

pub(super) fn step(parts: &Parts, before: &Again, roles: &[&String], sizes: &SizeValues) -> Step {
    let graph = parts.graph;
    let more = parts.leaving(before, roles.iter().copied());
    let flops = more.nodes.iter().fold(0.0, |sum, node| sum + work(graph, *node, sizes));
    let freed_bytes = bytes(graph, more.freed(before), sizes) - bytes(graph, &more.kept, sizes);
    Step { touched: more.touched(), more, flops, freed_bytes }
}

/// Of equals the first by name, so that nothing but the graph and the sizes decides.
fn best<'a>(steps: &BTreeMap<&'a String, Step>) -> Option<&'a String> {
    let freeing = steps.iter().filter(|(_, step)| step.freed_bytes > 0);
    freeing.reduce(|best, next| if worth(next.1) > worth(best.1) { next } else { best }).map(|(role, _)| *role)
}

/// Bytes that are freed for an operation that is done again.
fn worth(step: &Step) -> f64 {
    step.freed_bytes as f64 / step.flops.max(1.0)
}

fn bytes<'a>(graph: &Graph, values: impl IntoIterator<Item = &'a Value>, sizes: &SizeValues) -> i64 {
    values.into_iter().map(|value| 4 * graph.ty(*value).elements().eval(sizes).max(0)).sum()
}

pub(super) fn work(graph: &Graph, node: NodeId, sizes: &SizeValues) -> f64 {
    let elements = graph.node(node).types[0].elements().eval(sizes) as f64;
    node_flops(graph, node, sizes) + elements * f64::from(cost(&graph.node(node).op))
}
