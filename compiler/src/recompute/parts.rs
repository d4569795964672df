//! The forward part of a gradient's graph: what of it stands in memory for the backward part, and what may be left.

use crate::fuse;
use crate::graph::{Graph, NodeId, Value, op_word};
use crate::optimization::Disabled;
use std::collections::{BTreeMap, BTreeSet};

pub struct Parts<'a> {
    pub graph: &'a Graph,
    /// Of each node, whether the loss depends on it.
    forward: Vec<bool>,
    /// What the fuser has stand in memory.
    stored: BTreeSet<Value>,
    /// The values that may be left, by their role in a repeated layer.
    roles: BTreeMap<String, BTreeSet<Value>>,
    /// Values that the backward part has no use for while all others are kept: none of them is kept to compute another one again.
    passing: BTreeSet<Value>,
}

/// What follows from leaving some values.
pub struct Again {
    lost: BTreeSet<Value>,
    /// The nodes that are computed again.
    pub nodes: BTreeSet<NodeId>,
    /// The values of the forward part that the backward part finds in memory.
    pub kept: BTreeSet<Value>,
}

impl Again {
    /// Whether the backward part cannot have a value without computing it again.
    pub fn is_lost(&self, value: Value) -> bool {
        self.lost.contains(&value)
    }
}

impl<'a> Parts<'a> {
    pub fn of(graph: &'a Graph, disabled: &Disabled) -> Parts<'a> {
        let mut forward = vec![false; graph.len()];
        let losses = graph.outputs.iter().filter(|output| output.name == "loss");
        losses.for_each(|output| forward[output.value.node.0 as usize] = true);
        for id in graph.ids().rev() {
            if forward[id.0 as usize] {
                graph.operands(id).iter().for_each(|operand| forward[operand.node.0 as usize] = true);
            }
        }
        let stored = fuse::stored(graph, disabled);
        let mut parts = Parts { graph, forward, stored, roles: BTreeMap::new(), passing: BTreeSet::new() };
        parts.find_roles();
        let kept = parts.again(&[]).kept;
        parts.passing = parts.roles.values().flatten().copied().filter(|value| !kept.contains(value)).collect();
        parts
    }

    pub fn is_forward(&self, node: NodeId) -> bool {
        self.forward[node.0 as usize]
    }

    pub fn roles(&self) -> impl Iterator<Item = &String> {
        self.roles.keys()
    }

    fn find_roles(&mut self) {
        // How many there are of a name in an instance: they are told apart by their number.
        let mut count: BTreeMap<(String, String), usize> = BTreeMap::new();
        let stored: Vec<Value> = self.stored.iter().copied().filter(|value| self.may_be_left(*value)).collect();
        for value in stored {
            let Some((instance, path)) = self.place(value.node) else { continue };
            let name = format!("{path}: {}", op_word(self.graph.op(value)));
            let number = count.entry((instance, name.clone())).or_default();
            *number += 1;
            let role = if *number == 1 { name } else { format!("{name} {number}") };
            self.roles.entry(role).or_default().insert(value);
        }
    }

    /// Not what goes on to another layer, nor one number per row, of which there are few and which would cost the whole row.
    fn may_be_left(&self, value: Value) -> bool {
        let graph = self.graph;
        let inside = |user: &NodeId| self.instance(*user) == self.instance(value.node);
        let stays = graph.users(value).iter().filter(|user| self.is_forward(**user)).all(inside);
        let is_row = graph.ty(value).shape.last().is_some_and(|size| !size.is_one());
        let is_output = graph.outputs.iter().any(|output| output.value == value);
        self.is_forward(value.node) && !graph.op(value).is_source() && stays && is_row && !is_output
    }

    fn instance(&self, node: NodeId) -> Option<String> {
        self.place(node).map(|(instance, _)| instance)
    }

    /// The instance of a repeated layer that a node belongs to, `block.3`, and its path without the number, `block.*.ffn`; None for what is
    /// in none.
    fn place(&self, node: NodeId) -> Option<(String, String)> {
        let mut segments: Vec<&str> = self.graph.node(node).origin.path.as_ref()?.split('.').collect();
        let number = segments.iter().position(|segment| segment.bytes().all(|byte| byte.is_ascii_digit()))?;
        let instance = segments[..=number].join(".");
        segments[number] = "*";
        Some((instance, segments.join(".")))
    }

    /// What follows from leaving all values of some roles.
    pub fn again(&self, recomputed: &[String]) -> Again {
        let chosen = recomputed.iter().filter_map(|role| self.roles.get(role)).flatten();
        let left: BTreeSet<Value> = chosen.chain(&self.passing).copied().collect();
        let mut again = Again { lost: BTreeSet::new(), nodes: BTreeSet::new(), kept: BTreeSet::new() };
        for id in self.graph.ids().filter(|id| self.is_forward(*id)) {
            let made_of_lost = self.graph.operands(id).iter().any(|operand| again.is_lost(*operand));
            for result in 0..self.graph.node(id).types.len() as u32 {
                let value = Value { node: id, result };
                if left.contains(&value) || (made_of_lost && !self.stored.contains(&value)) {
                    again.lost.insert(value);
                }
            }
        }
        let backward = self.graph.ids().filter(|id| !self.is_forward(*id));
        let mut pending: Vec<Value> = backward.flat_map(|id| self.graph.operands(id)).collect();
        let mut seen = BTreeSet::new();
        while let Some(value) = pending.pop() {
            if !self.is_forward(value.node) || !seen.insert(value) || self.graph.op(value).is_source() {
                continue;
            }
            if self.stored.contains(&value) && !again.is_lost(value) {
                again.kept.insert(value);
                continue;
            }
            if again.is_lost(value) {
                again.nodes.insert(value.node);
            }
            pending.extend(self.graph.operands(value.node));
        }
        again
    }
}
