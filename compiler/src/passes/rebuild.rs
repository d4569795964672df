//! What every pass does: walk the nodes of a graph and make a new graph of them.

use crate::graph::{Builder, Graph, NodeId, Value};

/// Copies the nodes in `order`, which holds every node after its operands. `rule` is given a node and its operands in the new graph, and
/// answers with the results that take the node's place, or with None for a copy.
pub(super) fn rebuild(
    graph: &Graph,
    order: impl IntoIterator<Item = NodeId>,
    mut rule: impl FnMut(&mut Builder, NodeId, &[Value]) -> Option<Vec<Value>>,
) -> Graph {
    let mut builder = Builder::rebuild(graph);
    // For each node of the old graph, its results in the new one.
    let mut mapped: Vec<Vec<Value>> = vec![Vec::new(); graph.len()];
    let find = |mapped: &[Vec<Value>], value: Value| mapped[value.node.0 as usize][value.result as usize];
    for id in order {
        let node = graph.node(id);
        let operands: Vec<Value> = graph.operands(id).iter().map(|v| find(&mapped, *v)).collect();
        builder.origin = node.origin.clone();
        mapped[id.0 as usize] = rule(&mut builder, id, &operands).unwrap_or_else(|| {
            let first = builder.copy(node, &operands);
            (0..node.types.len() as u32).map(|result| Value { node: first.node, result }).collect()
        });
    }
    for output in &graph.outputs {
        builder.store(&output.name, find(&mapped, output.value), output.target, output.accumulate);
    }
    builder.finish()
}
