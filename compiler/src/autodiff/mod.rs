//! Reverse-mode differentiation: appends to a graph the operations that compute gradients.
//!
//! One rule per operation ([`rules`]) turns the gradients of its results into those of its operands; this module walks the
//! nodes back from the loss and adds up what arrives at a value. Gradients arrive in the order of the nodes that use the value,
//! the last first, so sums are in a fixed order. A node gets a gradient only if the loss depends on it and it on what is
//! asked for.

mod joining;
mod moving;
mod norms;
mod pointwise;
mod rules;
#[cfg(test)]
mod tests;

use crate::graph::{Builder, NodeId, Value};
use crate::scalar::Binary;
use std::collections::BTreeMap;

/// Appends the gradients of seed · loss with respect to `wrt`, in that order; zero where the loss does not depend on one.
/// `seed` has the type of `loss`. Gradients of gradients are not provided for the operations that have a backward operation.
pub fn differentiate(b: &mut Builder, loss: Value, seed: Value, wrt: &[Value]) -> Vec<Value> {
    assert_eq!(b.ty(loss), b.ty(seed), "bug in tfc: the seed of a gradient has the type of the loss");
    let origin = b.origin.clone();
    let mut gradients = BTreeMap::from([(loss, seed)]);
    for id in path_to(b, loss, wrt).into_iter().rev() {
        b.origin = b.graph().node(id).origin.clone();
        propagate(b, id, &mut gradients);
    }
    b.origin = origin;
    wrt.iter().map(|value| gradients.get(value).copied().unwrap_or_else(|| b.like(*value, 0.0))).collect()
}

/// From the gradients of a node's results to those of its operands.
fn propagate(b: &mut Builder, id: NodeId, gradients: &mut BTreeMap<Value, Value>) {
    let results = b.graph().node(id).types.len() as u32;
    let arrived: Vec<Option<Value>> =
        (0..results).map(|result| gradients.get(&Value { node: id, result }).copied()).collect();
    if arrived.iter().all(Option::is_none) {
        return;
    }
    let operands = b.graph().operands(id);
    let sent = rules::gradients_of_operands(b, id, &operands, &arrived);
    assert_eq!(sent.len(), operands.len(), "bug in tfc: a gradient rule answers for every operand");
    for (operand, gradient) in operands.into_iter().zip(sent) {
        if let Some(gradient) = gradient {
            let sum = match gradients.get(&operand) {
                None => gradient,
                Some(before) => b.binary(Binary::Add, *before, gradient),
            };
            gradients.insert(operand, sum);
        }
    }
}

/// The nodes up to the loss that use one of `wrt`, or use one that does.
fn path_to(b: &Builder, loss: Value, wrt: &[Value]) -> Vec<NodeId> {
    let graph = b.graph();
    let mut depends = vec![false; graph.len()];
    wrt.iter().for_each(|value| depends[value.node.0 as usize] = true);
    let mut path = Vec::new();
    for id in graph.ids().take_while(|id| *id <= loss.node) {
        if graph.operands(id).iter().any(|v| depends[v.node.0 as usize]) {
            depends[id.0 as usize] = true;
            path.push(id);
        }
    }
    path
}
