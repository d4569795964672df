//! Fusion: from a graph to tasks, each of which will be one kernel.
//!
//! A graph is read backwards from what must be in memory: the outputs, and what kernels of their own make. What lies between is pointwise and
//! views, and is computed where it is used, in registers: in the prologue of a product as its operand is loaded, in its epilogue before its
//! result is stored, or in a row program, which also reduces along rows. Views are addressing. Structure decides, not names:
//! [`mod@cost`] holds the rules.
//!
//! What reduces rows of a product is a row program of its own; the plan puts it behind the product ([`mod@crate::plan`]).

mod chunks;
mod class;
mod contraction;
mod cost;
mod dense;
mod epilogue;
mod expression;
mod groups;
mod keep;
mod lines;
mod order;
mod place;
mod prepare;
mod rows;
mod task;
mod uses;

pub(crate) use cost::cost;
pub use task::{Access, Chunks, ColumnWork, ContractionWork, DenseWork, RowWork, Slot, Task, Work};

use crate::graph::{Graph, Value};
use crate::optimization::Disabled;
use std::collections::BTreeSet;

/// Tasks in the order in which they run.
pub struct Fused {
    /// What the tasks' values and outputs are those of.
    pub graph: Graph,
    pub tasks: Vec<Task>,
    /// For each output of the graph, whether its value is written straight to where it goes; if not, a task copies it there.
    pub direct: Vec<bool>,
}

/// The values of a graph that stand in memory once it is fused, nearly: some may turn out to be computed within a group, and a few more to be kept where tasks could
/// not be grouped otherwise.
pub fn stored(graph: &Graph, disabled: &Disabled) -> BTreeSet<Value> {
    let prepared = prepare::prepare(graph);
    let kept = keep::decide(&prepared.graph, &prepared.accumulations, &BTreeSet::new(), disabled).kept;
    prepared.mapped.into_iter().filter(|(_, to)| kept.contains(to)).map(|(from, _)| from).collect()
}

/// Groups a graph of one entry. Composites must be expanded, all but attention and the vocabulary loss.
pub fn fuse(graph: &Graph, disabled: &Disabled) -> Fused {
    let prepared = prepare::prepare(graph);
    let mut must_keep: BTreeSet<Value> = BTreeSet::new();
    loop {
        let decisions = keep::decide(&prepared.graph, &prepared.accumulations, &must_keep, disabled);
        match groups::tasks(&decisions) {
            Ok(tasks) => {
                let (tasks, direct) = order::order(&decisions, tasks);
                return Fused { graph: prepared.graph.clone(), tasks, direct };
            }
            Err(values) => {
                let known = must_keep.len();
                must_keep.extend(values);
                assert!(must_keep.len() > known, "bug in tfc: a kept value cannot be addressed");
            }
        }
    }
}
