//! Graphs as DOT, for Graphviz: `tfc compile --emit dot`.

use super::{Graph, NodeId, Op, op_text, type_text};
use std::fmt::Write;

/// Values flow downwards; what outlives the call is a box.
pub fn dot(graph: &Graph) -> String {
    let mut text = format!("digraph {:?} {{\n  node [shape=plaintext, fontname=monospace];\n", graph.name);
    for id in graph.ids() {
        let label = label(graph, id);
        let shape = if matches!(graph.node(id).op, Op::Load(_)) { ", shape=box" } else { "" };
        let _ = writeln!(text, "  n{} [label={label:?}{shape}];", id.0);
        for operand in graph.operands(id) {
            let _ = writeln!(text, "  n{} -> n{};", operand.node.0, id.0);
        }
    }
    for (i, output) in graph.outputs.iter().enumerate() {
        let how = if output.accumulate { "+=" } else { "=" };
        let label = format!("{} {how}\n{}", output.target, output.name);
        let _ = writeln!(text, "  o{i} [label={label:?}, shape=box];\n  n{} -> o{i};", output.value.node.0);
    }
    text + "}\n"
}

/// The operation, its type, and the layer it belongs to.
fn label(graph: &Graph, id: NodeId) -> String {
    let node = graph.node(id);
    let types: Vec<String> = node.types.iter().map(|ty| type_text(ty, &graph.symbols)).collect();
    let path = node.origin.path.iter().map(String::as_str);
    let op = op_text(&node.op, &graph.symbols);
    [op.as_str(), &types.join(", ")].into_iter().chain(path).collect::<Vec<&str>>().join("\n")
}
