//! What a kernel does to its result before it is stored: the pointwise operations that a contraction absorbs, and the additions that a
//! scattering or summing kernel makes where its total stands.
//!
//! From the product on, pointwise operations are taken in as long as they are of its type. Whenever a single value is left that anything
//! outside needs, what was taken in can be one epilogue with that value as its exit: whatever else its operations use cannot
//! depend on it, or the graph would have a cycle.

use super::class::{Class, class};
use super::cost;
use super::uses::Uses;
use crate::graph::{Graph, NodeId, Op, Value};
use crate::optimization::{Disabled, Optimization};
use crate::scalar::Binary;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Epilogues {
    /// What is stored in place of a result.
    pub exits: BTreeMap<Value, Value>,
    /// The operations that were absorbed, each with the node that does them.
    pub owners: BTreeMap<NodeId, NodeId>,
}

impl Epilogues {
    /// What the node that makes `value` stores for it.
    pub fn exit(&self, value: Value) -> Value {
        self.exits.get(&value).copied().unwrap_or(value)
    }

    fn absorb(&mut self, result: Value, exit: Value, region: impl IntoIterator<Item = NodeId>) {
        self.exits.insert(result, exit);
        self.owners.extend(region.into_iter().map(|node| (node, result.node)));
    }
}

/// Later products first: of two whose sum is taken, the later adds to the earlier.
/// A product whose value is in `kept` absorbs nothing.
pub fn epilogues(
    graph: &Graph,
    uses: &Uses,
    accumulations: &BTreeSet<NodeId>,
    kept: &BTreeSet<Value>,
    disabled: &Disabled,
) -> Epilogues {
    let absorbs = |product: &Value| !kept.contains(product) && !disabled.has(Optimization::Epilogues);
    let mut found = Epilogues::default();
    for id in graph.ids().rev() {
        for result in (0..graph.node(id).types.len() as u32).map(|result| Value { node: id, result }) {
            match class(graph, id) {
                Class::Contraction if absorbs(&result) => absorb_region(graph, uses, result, &mut found),
                Class::Contraction => {}
                Class::Columns | Class::Chunks => absorb_addition(graph, uses, accumulations, result, &mut found),
                Class::Opaque if matches!(graph.op(result), Op::EmbedBackward { .. }) => {
                    absorb_addition(graph, uses, accumulations, result, &mut found);
                }
                Class::Opaque | Class::Load | Class::Source | Class::View | Class::Pointwise => {}
                Class::Concat | Class::Row | Class::Middle => {}
            }
        }
    }
    found
}

/// The addition to the total that stands in place, if that is all that is done with the result, under whatever shape; or the shape in which it
/// is handed back.
fn absorb_addition(graph: &Graph, uses: &Uses, accumulations: &BTreeSet<NodeId>, result: Value, found: &mut Epilogues) {
    let (mut value, mut region) = (result, Vec::new());
    while let Some(user) = uses.only_user(value) {
        region.push(user);
        // What is added to itself stands nowhere yet.
        let is_added = matches!(graph.operands(user)[..], [total, addend] if addend == value && total != value);
        if accumulations.contains(&user) && is_added && !found.owners.contains_key(&user) {
            return found.absorb(result, Value { node: user, result: 0 }, region);
        }
        if !matches!(graph.node(user).op, Op::Reshape { .. }) {
            return;
        }
        value = Value { node: user, result: 0 };
    }
    if uses.users(value).is_empty() && value != result {
        found.absorb(result, value, region);
    }
}

fn absorb_region(graph: &Graph, uses: &Uses, product: Value, found: &mut Epilogues) {
    let mut region: BTreeSet<NodeId> = BTreeSet::new();
    let mut values = vec![product];
    let mut foreign: BTreeSet<Value> = BTreeSet::new();
    loop {
        let outside = |value: &Value| uses.users(*value).iter().any(|user| !region.contains(user));
        let live: Vec<Value> = values.iter().copied().filter(|v| outside(v) || uses.outputs(*v) > 0).collect();
        if let [exit] = live[..]
            && !region.is_empty()
        {
            let inner = region.iter().copied();
            found.absorb(product, exit, inner);
        }
        let next = live.iter().flat_map(|v| uses.users(*v)).filter(|user| !region.contains(*user)).min();
        let Some(next) = next.copied() else { return };
        let stays = live.iter().any(|v| uses.outputs(*v) > 0);
        if stays || region.len() == cost::EPILOGUE_OPERATIONS || !is_absorbable(graph, product, next, found) {
            return;
        }
        let operands = graph.operands(next);
        foreign.extend(operands.into_iter().filter(|v| !values.contains(v) && is_matrix(graph, *v)));
        if foreign.len() > cost::EPILOGUE_MATRICES {
            return;
        }
        region.insert(next);
        values.push(Value { node: next, result: 0 });
    }
}

fn is_absorbable(graph: &Graph, product: Value, node: NodeId, found: &Epilogues) -> bool {
    let pointwise = match graph.node(node).op {
        Op::Binary(Binary::Add | Binary::Subtract) => true,
        // What is computed again is stored, and maybe rounded, where it was the first time: there something else needed it before it was scaled.
        Op::Unary(_) | Op::Binary(_) | Op::Select => !graph.node(product.node).origin.again,
        _ => false,
    };
    pointwise && !found.owners.contains_key(&node) && graph.node(node).types[0] == *graph.ty(product)
}

/// Whether using a value means reading a matrix: not if it is a number, or repeated.
fn is_matrix(graph: &Graph, value: Value) -> bool {
    match class(graph, value.node) {
        Class::Source => false,
        Class::View => !matches!(graph.op(value), Op::Broadcast { .. }),
        Class::Load | Class::Pointwise | Class::Concat | Class::Row | Class::Columns | Class::Middle => true,
        Class::Contraction | Class::Opaque | Class::Chunks => true,
    }
}
