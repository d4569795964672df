//! One order for graphs that are the same: sources stand right before their first use, everything else stays in its order. So a
//! text shows a parameter where it is used, and does not change with the order of declarations.

use super::rebuild::rebuild;
use crate::graph::{Graph, NodeId};

pub(super) fn canonicalize(graph: &Graph) -> Graph {
    let mut order = Order { graph, placed: vec![false; graph.len()], order: Vec::new() };
    for id in graph.ids().filter(|id| !graph.node(*id).op.is_source()) {
        order.place(id);
    }
    graph.outputs.iter().for_each(|output| order.place(output.value.node));
    rebuild(graph, order.order, |_, _, _| None)
}

struct Order<'a> {
    graph: &'a Graph,
    placed: Vec<bool>,
    order: Vec<NodeId>,
}

impl Order<'_> {
    /// The node after its operands. Only sources can be missing among them.
    fn place(&mut self, id: NodeId) {
        if std::mem::replace(&mut self.placed[id.0 as usize], true) {
            return;
        }
        self.graph.operands(id).iter().for_each(|operand| self.place(operand.node));
        self.order.push(id);
    }
}
