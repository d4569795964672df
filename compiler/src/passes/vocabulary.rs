//! Finds the cross entropy of a matrix product, h · wᵀ, and its gradient, and makes them one operation that works in chunks of
//! rows: so the logits never exist as a whole.
//!
//! It fires where the logits and their gradient have no other use. It sees the structure that differentiation makes, so it comes
//! before every pass that could change it.

use super::rebuild::rebuild;
use crate::graph::{Graph, NodeId, Op, Value};
use std::collections::BTreeMap;

/// What becomes of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    /// The cross entropy: a vocabulary loss.
    Loss,
    /// Its backward operation: that of the vocabulary loss.
    Backward,
    /// Made from the gradient of the logits: this result of the backward operation.
    Result(u32),
}

pub fn vocabulary(graph: &Graph) -> Graph {
    let mut roles = BTreeMap::new();
    for id in graph.ids() {
        roles.extend(roles_at(graph, id).unwrap_or_default());
    }
    rebuild(graph, graph.ids(), |b, id, operands| {
        let role = roles.get(&id)?;
        let product = |logits: Value| b.graph().operands(logits.node);
        let first = match role {
            Role::Loss => {
                let factors = product(operands[0]);
                b.add(Op::VocabularyLoss, &[factors[0], factors[1], operands[1]])
            }
            Role::Backward => {
                let factors = product(operands[0]);
                let rest = [operands[1], operands[2], operands[3]];
                b.add(Op::VocabularyLossBackward, &[factors.as_slice(), &rest].concat())
            }
            Role::Result(result) => b.result(operands[0], *result),
        };
        Some(if *role == Role::Loss { vec![first, b.result(first, 1)] } else { vec![first] })
    })
}

/// The roles of a cross entropy and of all that hangs on its logits, if the pattern fits.
fn roles_at(graph: &Graph, id: NodeId) -> Option<Vec<(NodeId, Role)>> {
    if graph.node(id).op != Op::CrossEntropy {
        return None;
    }
    let logits = graph.operands(id)[0];
    let product = Op::MatMul { transpose_a: false, transpose_b: true };
    let factors = graph.operands(logits.node);
    if *graph.op(logits) != product || graph.ty(factors[1]).rank() != 2 || is_output(graph, logits) {
        return None;
    }
    let mut roles = vec![(id, Role::Loss)];
    for user in graph.users(logits).into_iter().filter(|user| *user != id) {
        let log_sum_exp = Value { node: id, result: 1 };
        let own = graph.node(user).op == Op::CrossEntropyBackward && graph.operands(user)[2] == log_sum_exp;
        if !own {
            return None;
        }
        roles.push((user, Role::Backward));
        let gradient = Value { node: user, result: 0 };
        roles.extend(roles_of_gradient(graph, gradient, factors[0], factors[1])?);
    }
    Some(roles)
}

/// The gradient of the logits may only be multiplied by w, to the gradient of h, and its rows by those of h, to that of w.
fn roles_of_gradient(graph: &Graph, gradient: Value, h: Value, w: Value) -> Option<Vec<(NodeId, Role)>> {
    if is_output(graph, gradient) {
        return None;
    }
    let mut roles = Vec::new();
    for user in graph.users(gradient) {
        let operands = graph.operands(user);
        match &graph.node(user).op {
            Op::MatMul { transpose_a: false, transpose_b: false } if operands == [gradient, w] => {
                roles.push((user, Role::Result(0)));
            }
            Op::MatMul { transpose_a: true, transpose_b: false } if operands == [gradient, h] => {
                roles.push((user, Role::Result(1)));
            }
            Op::Reshape { .. } => {
                // The reshaped gradient is replaced by a value of another shape: it must be a part of the pattern alone.
                roles.push((user, Role::Result(0)));
                roles.extend(roles_of_rows(graph, Value { node: user, result: 0 }, h)?);
            }
            _ => return None,
        }
    }
    Some(roles)
}

fn roles_of_rows(graph: &Graph, rows: Value, h: Value) -> Option<Vec<(NodeId, Role)>> {
    let of_rows_of_h = |user: &NodeId| {
        let operands = graph.operands(*user);
        let product = Op::MatMul { transpose_a: true, transpose_b: false };
        graph.node(*user).op == product && operands[0] == rows && is_rows_of(graph, operands[1], h)
    };
    let users = graph.users(rows);
    (!is_output(graph, rows) && users.iter().all(of_rows_of_h))
        .then(|| users.into_iter().map(|user| (user, Role::Result(1))).collect())
}

fn is_rows_of(graph: &Graph, value: Value, h: Value) -> bool {
    matches!(graph.op(value), Op::Reshape { .. })
        && graph.operands(value.node) == [h]
        && graph.ty(value).rank() == 2
        && graph.ty(value).shape.last() == graph.ty(h).shape.last()
}

fn is_output(graph: &Graph, value: Value) -> bool {
    graph.outputs.iter().any(|output| output.value == value)
}
