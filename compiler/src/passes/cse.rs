//! Computes once what was computed several times. Every operation is a function of its operands, so two nodes that apply the same
//! operation to the same operands are the same; the first stays.

use super::rebuild::rebuild;
use crate::graph::{Graph, Op, Type, Value};
use crate::scalar::Binary;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};

pub(super) fn cse(graph: &Graph) -> Graph {
    let mut known: HashMap<Applied, Vec<Value>> = HashMap::new();
    rebuild(graph, graph.ids(), |b, id, operands| {
        let node = graph.node(id);
        let applied = Applied::new(&node.op, operands, &node.types);
        let results = known.entry(applied).or_insert_with(|| {
            let first = b.copy(node, operands);
            (0..node.types.len() as u32).map(|result| Value { node: first.node, result }).collect()
        });
        Some(results.clone())
    })
}

/// What a node computes.
struct Applied<'a> {
    op: &'a Op,
    operands: Vec<Value>,
    types: &'a [Type],
}

impl<'a> Applied<'a> {
    fn new(op: &'a Op, operands: &[Value], types: &'a [Type]) -> Applied<'a> {
        let mut operands = operands.to_vec();
        if commutes(op) {
            operands.sort();
        }
        Applied { op, operands, types }
    }
}

impl PartialEq for Applied<'_> {
    /// Constants are compared by their bits: 0 is not −0, and NaN is itself.
    fn eq(&self, other: &Self) -> bool {
        let same_op = match (self.op, other.op) {
            (Op::Constant(a), Op::Constant(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a == b,
        };
        same_op && self.operands == other.operands && self.types == other.types
    }
}

impl Eq for Applied<'_> {}

impl Hash for Applied<'_> {
    /// The kind of operation and the operands, and for sources, which have none, what they are.
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self.op).hash(state);
        self.operands.hash(state);
        if let Op::Load(storage) = self.op {
            storage.hash(state);
        }
        if let Op::Constant(number) = self.op {
            number.to_bits().hash(state);
        }
    }
}

/// Whether the operands may be exchanged without changing a bit of the result: of a number and NaN, the larger is the first.
fn commutes(op: &Op) -> bool {
    matches!(op, Op::Binary(Binary::Add | Binary::Multiply | Binary::Equal))
}
