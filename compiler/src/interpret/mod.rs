//! The interpreter: what a graph means, plainly. It is the oracle of gradients, passes and back ends, and the reference device.
//!
//! Every f32 of the graph is computed in f64, one operation after the other, on one thread. Nothing is fused and nothing is
//! cached, so that a function can be read beside the sentence in [`Op`] that it implements; only the matrix product is written
//! so that a small model trains in bearable time.
//!
//! Two exceptions to f64, because every device must see the same numbers: the rotary tables ([`crate::rotary`]) and
//! [`Op::Uniform`] ([`crate::random`]).

mod apply;
mod attention;
mod index;
mod layout;
mod loss;
mod matmul;
mod memory;
mod norm;
mod pointwise;
mod reduce;
mod rope;
mod selection;
mod tensor;
#[cfg(test)]
pub(crate) mod tests;

pub use memory::Memory;
pub(crate) use selection::kth_largest_of;
pub use tensor::{Data, Tensor};

use crate::graph::{Graph, NodeId, Op, Origin, Value};
use crate::size::SizeValues;
use crate::storage::Storage;
use std::borrow::Cow;

/// Runs a graph: every load reads `memory` as it was before the call, then every output is written to it or added.
pub fn interpret(graph: &Graph, sizes: &SizeValues, memory: &mut Memory) {
    let results = evaluate(graph, sizes, memory);
    for (output, tensor) in graph.outputs.iter().zip(results) {
        if output.accumulate { memory.add(output.target, &tensor) } else { memory.set(output.target, tensor) }
    }
}

/// The place where numbers stopped being finite.
#[derive(Clone, Debug, PartialEq)]
pub struct NonFinite {
    pub node: NodeId,
    pub op: Op,
    pub origin: Origin,
}

/// The first operation with a result that is not finite although its operands were. A stored tensor that is not finite
/// counts; an input of the call and a constant do not. Nothing is written.
pub fn first_non_finite(graph: &Graph, sizes: &SizeValues, memory: &Memory) -> Option<NonFinite> {
    let mut run = Run::new(graph, sizes, memory);
    let went_wrong = |run: &mut Run, id| {
        let finite_before = graph.operands(id).iter().all(|v| run.value(*v).is_finite());
        let results = run.results_of(id);
        let wrong = finite_before && !meant(&graph.node(id).op) && !results.iter().all(|t| t.is_finite());
        run.keep(id, results);
        wrong
    };
    let id = graph.ids().find(|id| went_wrong(&mut run, *id))?;
    let node = graph.node(id);
    Some(NonFinite { node: id, op: node.op.clone(), origin: node.origin.clone() })
}

/// Whether an infinity or NaN from this operation was somebody's intention.
fn meant(op: &Op) -> bool {
    matches!(op, Op::Constant(_) | Op::Load(Storage::Input(_)))
}

/// The values of all outputs.
fn evaluate(graph: &Graph, sizes: &SizeValues, memory: &Memory) -> Vec<Tensor> {
    let mut run = Run::new(graph, sizes, memory);
    for id in graph.ids() {
        let results = run.results_of(id);
        run.keep(id, results);
    }
    graph.outputs.iter().map(|output| run.value(output.value).clone()).collect()
}

/// A call on its way: the results of the nodes so far, without those that nothing needs any more.
struct Run<'a> {
    graph: &'a Graph,
    sizes: &'a SizeValues,
    memory: &'a Memory,
    results: Vec<Vec<Cow<'a, Tensor>>>,
    /// For each node, the nodes that it is the last to use.
    last_user_of: Vec<Vec<NodeId>>,
}

impl<'a> Run<'a> {
    fn new(graph: &'a Graph, sizes: &'a SizeValues, memory: &'a Memory) -> Run<'a> {
        Run { graph, sizes, memory, results: Vec::with_capacity(graph.len()), last_user_of: last_user_of(graph) }
    }

    fn value(&self, value: Value) -> &Tensor {
        &self.results[value.node.0 as usize][value.result as usize]
    }

    fn results_of(&self, id: NodeId) -> Vec<Cow<'a, Tensor>> {
        let node = self.graph.node(id);
        let shapes: Vec<Vec<usize>> = node.types.iter().map(|ty| tensor::shape_at(&ty.shape, self.sizes)).collect();
        if let Op::Load(storage) = node.op {
            return vec![self.memory.get(storage, &shapes[0])];
        }
        let operands: Vec<&Tensor> = self.graph.operands(id).into_iter().map(|v| self.value(v)).collect();
        apply::apply(node, &operands, shapes, self.sizes).into_iter().map(Cow::Owned).collect()
    }

    fn keep(&mut self, id: NodeId, results: Vec<Cow<'a, Tensor>>) {
        self.results.push(results);
        for dead in &self.last_user_of[id.0 as usize] {
            self.results[dead.0 as usize].clear();
        }
    }
}

fn last_user_of(graph: &Graph) -> Vec<Vec<NodeId>> {
    let mut last: Vec<Option<NodeId>> = vec![None; graph.len()];
    for id in graph.ids() {
        for operand in graph.operands(id) {
            last[operand.node.0 as usize] = Some(id);
        }
    }
    for output in &graph.outputs {
        last[output.value.node.0 as usize] = None;
    }
    let mut dead = vec![Vec::new(); graph.len()];
    for (node, user) in last.into_iter().enumerate() {
        if let Some(user) = user {
            dead[user.0 as usize].push(NodeId(node as u32));
        }
    }
    dead
}
