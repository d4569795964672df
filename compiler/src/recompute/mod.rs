//! Computing values of the forward part again for the backward part, instead of keeping them from one to the other.
//!
//! A layer that is repeated is a segment: what later layers need of it is kept, the rest may be left, and is then computed again where the
//! backward part of the layer needs it, by the same operations on the same operands, so that gradients are the same to the bit. What is left
//! is named by its role in the layer (`block.*.ffn: matmul`), the same in all of them, so that layers go on to share their kernels. Which roles
//! are worth it, and when, is said by the [`ladder()`] and by [`crate::budget`].
//!
//! It is the last pass over a graph: another one would find that what is computed again is there already.

mod ladder;
mod parts;
#[cfg(test)]
mod tests;

pub use ladder::{Rung, ladder};

use crate::graph::{Builder, Graph, Node, NodeId, Origin, Value};
use crate::optimization::{Disabled, Optimization};
use parts::{Again, Parts};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The gradient of an entry with what has one of the roles `recomputed` computed again. A role that the graph does not have means nothing.
pub fn recompute(graph: &Graph, recomputed: &[String], disabled: &Disabled) -> Graph {
    if recomputed.is_empty() || disabled.has(Optimization::Checkpointing) {
        return graph.clone();
    }
    let parts = Parts::of(graph, disabled);
    let again = parts.again(recomputed);
    let builder = Builder::rebuild(graph);
    let mut pass = Pass { parts: &parts, again: &again, builder, first: BTreeMap::new(), second: BTreeMap::new() };
    graph.ids().for_each(|id| pass.visit(id));
    for output in &graph.outputs {
        pass.builder.store(&output.name, pass.first[&output.value], output.target, output.accumulate);
    }
    pass.builder.finish()
}

struct Pass<'a> {
    parts: &'a Parts<'a>,
    again: &'a Again,
    builder: Builder,
    /// For each value of the graph what it became, and what it is computed once more as.
    first: BTreeMap<Value, Value>,
    second: BTreeMap<Value, Value>,
}

impl Pass<'_> {
    fn visit(&mut self, id: NodeId) {
        let graph = self.parts.graph;
        let operands = graph.operands(id).into_iter();
        let operands: Vec<Value> = if self.parts.is_forward(id) {
            operands.map(|operand| self.first[&operand]).collect()
        } else {
            operands.map(|operand| self.for_backward(operand)).collect()
        };
        let copy = self.builder.copy(graph.node(id), &operands);
        record(&mut self.first, graph, id, copy);
    }

    /// Right before its first use there, so that it is in memory for no longer than it must be.
    fn for_backward(&mut self, value: Value) -> Value {
        if !self.again.is_lost(value) {
            return self.first[&value];
        }
        if let Some(known) = self.second.get(&value) {
            return *known;
        }
        let graph = self.parts.graph;
        let operands: Vec<Value> = graph.operands(value.node).into_iter().map(|v| self.for_backward(v)).collect();
        let Node { op, types, origin } = Node::clone(graph.node(value.node));
        let node = Node { op, types, origin: Origin { again: true, ..origin } };
        let copy = self.builder.copy(&Arc::new(node), &operands);
        record(&mut self.second, graph, value.node, copy);
        self.second[&value]
    }
}

fn record(map: &mut BTreeMap<Value, Value>, graph: &Graph, id: NodeId, copy: Value) {
    for result in 0..graph.node(id).types.len() as u32 {
        map.insert(Value { node: id, result }, Value { node: copy.node, result });
    }
}
