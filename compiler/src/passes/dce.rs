//! Drops the nodes that no output needs.

use super::rebuild::rebuild;
use crate::graph::Graph;

pub(super) fn dce(graph: &Graph) -> Graph {
    let mut live = vec![false; graph.len()];
    graph.outputs.iter().for_each(|output| live[output.value.node.0 as usize] = true);
    for id in graph.ids().rev() {
        if live[id.0 as usize] {
            graph.operands(id).iter().for_each(|operand| live[operand.node.0 as usize] = true);
        }
    }
    rebuild(graph, graph.ids().filter(|id| live[id.0 as usize]), |_, _, _| None)
}
