//! Who uses each value of a graph.

use crate::graph::{Graph, NodeId, Value};
use std::collections::BTreeMap;

pub struct Uses {
    users: BTreeMap<Value, Vec<NodeId>>,
    outputs: BTreeMap<Value, usize>,
}

impl Uses {
    pub fn of(graph: &Graph) -> Uses {
        let mut users: BTreeMap<Value, Vec<NodeId>> = BTreeMap::new();
        for id in graph.ids() {
            for operand in graph.operands(id) {
                let users = users.entry(operand).or_default();
                if users.last() != Some(&id) {
                    users.push(id);
                }
            }
        }
        let mut outputs = BTreeMap::new();
        for output in &graph.outputs {
            *outputs.entry(output.value).or_default() += 1;
        }
        Uses { users, outputs }
    }

    /// The nodes that use a value, in order, each once.
    pub fn users(&self, value: Value) -> &[NodeId] {
        self.users.get(&value).map(Vec::as_slice).unwrap_or_default()
    }

    /// How many outputs hand a value back.
    pub fn outputs(&self, value: Value) -> usize {
        self.outputs.get(&value).copied().unwrap_or(0)
    }

    /// The one node that uses a value, if nothing else does.
    pub fn only_user(&self, value: Value) -> Option<NodeId> {
        match self.users(value) {
            [user] if self.outputs(value) == 0 => Some(*user),
            _ => None,
        }
    }
}
