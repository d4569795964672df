//! Computes once what was computed several times. Every operation is a function of its operands, so two nodes that read the same
//! and have the same operands are the same; the first stays.

use super::rebuild::rebuild;
use crate::graph::{Graph, Op, Type, Value, op_text};
use crate::scalar::Binary;
use std::collections::HashMap;

pub(super) fn cse(graph: &Graph) -> Graph {
    let mut known: HashMap<(String, Vec<Value>, Vec<Type>), Vec<Value>> = HashMap::new();
    rebuild(graph, graph.ids(), |b, id, operands| {
        let node = graph.node(id);
        let mut sorted = operands.to_vec();
        if commutes(&node.op) {
            sorted.sort();
        }
        let key = (op_text(&node.op, &graph.symbols), sorted, node.types.clone());
        let results = known.entry(key).or_insert_with(|| {
            let first = b.copy(node, operands);
            (0..node.types.len() as u32).map(|result| Value { node: first.node, result }).collect()
        });
        Some(results.clone())
    })
}

/// Whether the operands may be exchanged without changing a bit of the result.
fn commutes(op: &Op) -> bool {
    matches!(op, Op::Binary(Binary::Add | Binary::Multiply | Binary::Maximum | Binary::Minimum | Binary::Equal))
}
