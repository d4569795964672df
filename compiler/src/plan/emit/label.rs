//! What things are called, in the graph's words: for `explain`, profiles, and the place of the first number that is not finite.

use crate::fuse::Task;
use crate::graph::{Graph, NodeId, Value, op_word};
use crate::plan::{Plan, Step};
use crate::storage::Storage;
use tfc_grammar::span::Span;

/// The path and the operations: `block.3.ffn: matmul add`.
pub fn of_task(graph: &Graph, task: &Task) -> (Option<Span>, String) {
    let mut words: Vec<String> = Vec::new();
    let mut nodes = task.nodes.clone();
    nodes.sort();
    for node in &nodes {
        let word = op_word(&graph.node(*node).op);
        if words.last() != Some(&word) {
            words.push(word);
        }
    }
    let origin = nodes.iter().map(|node| &graph.node(*node).origin);
    let span = origin.clone().find_map(|origin| origin.span);
    if nodes.iter().any(|node| graph.node(*node).origin.again) {
        words.push("again".into());
    }
    (span, with_path(path(graph, &nodes), words.join(" ")))
}

pub fn of_value(graph: &Graph, value: Value) -> String {
    let again = if graph.node(value.node).origin.again { "again " } else { "" };
    with_path(path(graph, &[value.node]), format!("{} {again}{value}", op_word(graph.op(value))))
}

fn path<'a>(graph: &'a Graph, nodes: &[NodeId]) -> Option<&'a str> {
    graph.node(*nodes.first()?).origin.path.as_deref()
}

fn with_path(path: Option<&str>, what: String) -> String {
    path.map_or(what.clone(), |path| format!("{path}: {what}"))
}

pub fn of_storage(storage: Storage, plan: &Plan) -> String {
    let input = |i: u32| plan.inputs.get(i as usize).map(|input| input.name.clone());
    let output = |i: u32| plan.outputs.get(i as usize).map(|output| output.name.clone());
    let known = match storage {
        Storage::Input(i) => input(i),
        Storage::Output(i) => output(i),
        Storage::Parameter(_) | Storage::Gradient(_) | Storage::FirstMoment(_) | Storage::SecondMoment(_) => None,
        Storage::Rows(..) | Storage::Scale(_) | Storage::Cache(_) | Storage::Weight(..) | Storage::Table(_) => None,
    };
    known.unwrap_or_else(|| storage.to_string())
}

/// Names the launches of a chunk after the operation that is done in chunks.
pub fn say_whose(steps: &mut [Step], graph: &Graph, task: &Task) {
    let (span, whole) = of_task(graph, task);
    for step in steps {
        step.each_launch(&mut |launch| {
            launch.span = span;
            launch.label = format!("{whole}: {}", launch.label);
        });
    }
}
