//! Instances: one per layer call and repeat index, the tree that the paths of parameters are read off.
//!
//! A part of a path is the name of the binding, if the call is the first parameterised one in the chain of pipes that is bound; else
//! the token group of an operation that holds parameters; else the name of the layer. A repeat's part is the layer's name with
//! the index. Calls that hold no parameters are no part. What holds parameters is known only when a call is done, so parts
//! are chosen on leaving and paths are read off at the end.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use tfc_grammar::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InstanceId(usize);

impl InstanceId {
    pub const ROOT: InstanceId = InstanceId(0);
}

#[derive(Debug)]
struct Instance {
    parent: Option<InstanceId>,
    /// Chosen on leaving; empty for the root.
    part: String,
    /// Whether it, or a call in it, holds parameters.
    holds: bool,
    repeat: bool,
}

#[derive(Debug)]
pub(super) struct Instances {
    all: Vec<Instance>,
    /// Where the part of a path was taken, by the instance it is in.
    parts: BTreeMap<(InstanceId, String), Span>,
}

impl Default for Instances {
    fn default() -> Instances {
        let root = Instance { parent: None, part: String::new(), holds: true, repeat: false };
        Instances { all: vec![root], parts: BTreeMap::new() }
    }
}

impl Instances {
    pub fn enter(&mut self, parent: InstanceId, repeat: bool) -> InstanceId {
        self.all.push(Instance { parent: Some(parent), part: String::new(), holds: false, repeat });
        InstanceId(self.all.len() - 1)
    }

    /// Marks the instance and all it is in as holding parameters.
    pub fn hold(&mut self, instance: InstanceId) {
        let mut next = Some(instance);
        while let Some(InstanceId(index)) = next.filter(|id| !self.all[id.0].holds) {
            self.all[index].holds = true;
            next = self.all[index].parent;
        }
    }

    pub fn holds(&self, InstanceId(index): InstanceId) -> bool {
        self.all[index].holds
    }

    /// Names an instance that holds parameters; the place of an older one of this name beside it, if there is one.
    pub fn name(&mut self, instance: InstanceId, part: String, span: Span) -> Option<Span> {
        let Instance { parent, part: own, .. } = &mut self.all[instance.0];
        own.clone_from(&part);
        let taken = (*parent)?;
        match self.parts.entry((taken, part)) {
            Entry::Vacant(free) => {
                free.insert(span);
                None
            }
            Entry::Occupied(first) => Some(*first.get()),
        }
    }

    /// The innermost repeat instance around, or the root.
    pub fn repeat_around(&self, instance: InstanceId) -> InstanceId {
        let mut at = instance;
        while let (false, Some(parent)) = (self.all[at.0].repeat, self.all[at.0].parent) {
            at = parent;
        }
        at
    }

    pub fn path(&self, instance: InstanceId) -> String {
        let mut parts = Vec::new();
        let mut next = Some(instance);
        while let Some(InstanceId(index)) = next {
            let Instance { parent, part, holds, .. } = &self.all[index];
            if *holds && !part.is_empty() {
                parts.push(part.as_str());
            }
            next = *parent;
        }
        parts.reverse();
        parts.join(".")
    }
}

/// The path of something named in an instance.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}
