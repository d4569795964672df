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
    /// What follows from leaving no role.
    pub whole: Again,
}

/// What follows from leaving some values; or what more follows from leaving others, too.
#[derive(Clone, Default)]
pub struct Again {
    lost: BTreeSet<Value>,
    /// The values of the forward part that the backward part needs, be it to compute others.
    needed: BTreeSet<Value>,
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

    /// The nodes of which anything is told.
    pub fn touched(&self) -> BTreeSet<NodeId> {
        self.lost.union(&self.needed).map(|value| value.node).collect()
    }

    /// Of the values that were kept `before`, those that no longer are.
    pub fn freed<'a>(&'a self, before: &'a Again) -> impl Iterator<Item = &'a Value> {
        self.lost.intersection(&before.kept)
    }

    pub fn add(&mut self, more: &Again) {
        more.lost.iter().for_each(|value| _ = self.kept.remove(value));
        self.lost.extend(&more.lost);
        self.needed.extend(&more.needed);
        self.nodes.extend(&more.nodes);
        self.kept.extend(&more.kept);
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
        let mut parts = Parts { graph, forward, stored, roles: BTreeMap::new(), whole: Again::default() };
        parts.find_roles();
        let backward = graph.ids().filter(|id| !parts.is_forward(*id));
        let operands = backward.flat_map(|id| graph.operands(id)).collect();
        let mut whole = parts.following(&Again::default(), Vec::new(), operands);
        // What the backward part has no use for while all others are kept: none of them is kept to compute another one again.
        let passing = parts.roles.values().flatten().copied().filter(|value| !whole.kept.contains(value)).collect();
        let more = parts.following(&whole, passing, Vec::new());
        whole.add(&more);
        parts.whole = whole;
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
        let mut again = self.whole.clone();
        again.add(&self.leaving(&self.whole, recomputed));
        again
    }

    /// What more follows from leaving all values of some roles besides what was left `before`.
    pub fn leaving<'s>(&self, before: &Again, roles: impl IntoIterator<Item = &'s String>) -> Again {
        let left = roles.into_iter().filter_map(|role| self.roles.get(role)).flatten().copied().collect();
        self.following(before, left, Vec::new())
    }

    /// Walks only where something changes: along what is made of values that are `left`, then along what values that are `needed` are made of.
    fn following(&self, before: &Again, mut left: Vec<Value>, mut needed: Vec<Value>) -> Again {
        let mut more = Again::default();
        while let Some(value) = left.pop() {
            if before.is_lost(value) || !more.lost.insert(value) {
                continue;
            }
            if before.needed.contains(&value) {
                more.nodes.insert(value.node);
                needed.extend(self.graph.operands(value.node));
            }
            let made = self.graph.users(value).into_iter().filter(|user| self.is_forward(*user));
            left.extend(made.flat_map(|user| self.results(user)).filter(|made| !self.stored.contains(made)));
        }
        while let Some(value) = needed.pop() {
            let known = before.needed.contains(&value) || self.graph.op(value).is_source();
            if known || !self.is_forward(value.node) || !more.needed.insert(value) {
                continue;
            }
            let lost = before.is_lost(value) || more.is_lost(value);
            if self.stored.contains(&value) && !lost {
                more.kept.insert(value);
                continue;
            }
            if lost {
                more.nodes.insert(value.node);
            }
            needed.extend(self.graph.operands(value.node));
        }
        more.nodes.retain(|node| !before.nodes.contains(node));
        more
    }

    fn results(&self, node: NodeId) -> impl Iterator<Item = Value> + use<> {
        (0..self.graph.node(node).types.len() as u32).map(move |result| Value { node, result })
    }
}
