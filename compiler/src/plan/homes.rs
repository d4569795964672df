//! Where each value of a fused graph stands: in a storage, or in a piece of the arena.
//!
//! A kernel writes over an operand that it reads for the last time, element by element, where it can. The same goes for
//! a storage whose next content is being made, step by step, of its old one or of nothing that stood there: the sum of the gradients of a tied
//! parameter never leaves its buffer.

use crate::fuse::{Fused, Slot};
use crate::graph::{Op, Value};
use crate::storage::Storage;
use std::collections::BTreeMap;
use std::iter::successors;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Home {
    Storage(Storage),
    /// Index into [`Homes::pieces`].
    Piece(usize),
}

pub struct Homes {
    homes: BTreeMap<Slot, Home>,
    /// The pieces of the arena, each with the first value that stands there.
    pub pieces: Vec<Value>,
}

impl Homes {
    pub fn of(&self, slot: Slot) -> Home {
        *self.homes.get(&slot).expect("bug in tfc: a value was read before it was written")
    }
}

pub fn homes(fused: &Fused) -> Homes {
    let mut pass = Pass { fused, readers: BTreeMap::new(), writers: BTreeMap::new(), targets: BTreeMap::new() };
    let mut homes = Homes { homes: BTreeMap::new(), pieces: Vec::new() };
    for (index, task) in fused.tasks.iter().enumerate() {
        let touched = task.reads.iter().map(|access| access.slot).chain(task.onto);
        touched.for_each(|slot| pass.readers.entry(slot).or_default().push(index));
        task.writes.iter().for_each(|access| pass.writers.entry(access.slot).or_default().push(index));
    }
    for id in fused.graph.ids() {
        if let Op::Load(storage) = fused.graph.node(id).op {
            homes.homes.insert(Slot::Value(Value { node: id, result: 0 }), Home::Storage(storage));
        }
    }
    for (index, output) in fused.graph.outputs.iter().enumerate() {
        let slot = if fused.direct[index] { Slot::Value(output.value) } else { Slot::Output(index) };
        homes.homes.insert(slot, Home::Storage(output.target));
        pass.targets.insert(output.target, slot);
    }
    for index in 0..fused.tasks.len() {
        pass.place_writes(index, &mut homes);
    }
    homes
}

struct Pass<'a> {
    fused: &'a Fused,
    /// The tasks that read a slot or add to it, and that write it, in order.
    readers: BTreeMap<Slot, Vec<usize>>,
    writers: BTreeMap<Slot, Vec<usize>>,
    /// What each storage ends up holding.
    targets: BTreeMap<Storage, Slot>,
}

impl Pass<'_> {
    fn place_writes(&self, task: usize, homes: &mut Homes) {
        for write in 0..self.fused.tasks[task].writes.len() {
            let slot = self.fused.tasks[task].writes[write].slot;
            if homes.homes.contains_key(&slot) {
                continue;
            }
            let home = self.inherited(task, write, homes).or_else(|| self.destined(slot)).unwrap_or_else(|| {
                let Slot::Value(value) = slot else { panic!("bug in tfc: an output has a storage") };
                homes.pieces.push(value);
                Home::Piece(homes.pieces.len() - 1)
            });
            homes.homes.insert(slot, home);
        }
    }

    /// The home of an operand that dies here and that the write may go over.
    fn inherited(&self, task: usize, write: usize, homes: &Homes) -> Option<Home> {
        let slot = self.fused.tasks[task].writes[write].slot;
        if self.writers[&slot].len() > 1 {
            return None;
        }
        let free = |old: &Slot| {
            let home = homes.of(*old);
            let earlier = &self.fused.tasks[task].writes[..write];
            let taken = earlier.iter().any(|w| homes.of(w.slot) == home);
            let owned = match home {
                Home::Piece(_) => true,
                Home::Storage(storage) => self.leads_to(slot, storage),
            };
            !taken && owned && self.readers[old].last() == Some(&task) && self.is_same_tensor(*old, slot)
        };
        let old = self.fused.tasks[task].overwritable(write).into_iter().find(free)?;
        Some(homes.of(old))
    }

    /// The storage whose content is made of this value alone, over itself step by step, and that nobody reads. No other value may be destined for it:
    /// each step has nothing else to go over.
    fn destined(&self, slot: Slot) -> Option<Home> {
        let steps = successors(Some(slot), |slot| self.made_over(*slot, |old| old == [*slot]));
        let end = steps.take_while(|step| *step == slot || self.is_same_tensor(slot, *step)).last()?;
        let (storage, _) = self.targets.iter().find(|(_, target)| **target == end)?;
        let is_read = |id| *self.fused.graph.op(Value { node: id, result: 0 }) == Op::Load(*storage);
        let alone = self.writers[&slot].len() == 1 && !self.fused.graph.ids().any(is_read);
        alone.then_some(Home::Storage(*storage))
    }

    /// Whether a value is used for nothing but, over itself step by step, the next content of a storage.
    fn leads_to(&self, slot: Slot, storage: Storage) -> bool {
        let mut steps = successors(Some(slot), |slot| self.made_over(*slot, |old| old.contains(slot)));
        self.targets.get(&storage).is_some_and(|target| steps.any(|step| step == *target))
    }

    /// What the only reader of a value writes over it, or over one of the operands that `may_be` accepts.
    fn made_over(&self, slot: Slot, may_be: impl Fn(&[Slot]) -> bool) -> Option<Slot> {
        let [task] = self.readers.get(&slot)?.as_slice() else { return None };
        let task = &self.fused.tasks[*task];
        let write = (0..task.writes.len()).find(|write| may_be(&task.overwritable(*write)))?;
        Some(task.writes[write].slot)
    }

    fn is_same_tensor(&self, a: Slot, b: Slot) -> bool {
        let (Slot::Value(a), Slot::Value(b)) = (a, b) else { return false };
        let [a, b] = [a, b].map(|value| self.fused.graph.ty(value));
        a.dtype == b.dtype && a.elements() == b.elements()
    }
}
