//! The order of the tasks, and which outputs are written in place.
//!
//! A task runs when what it reads is there; of those that can run, the one that stands first in the graph. A storage is overwritten
//! only when all that read what stood there before have run, or are the very task that overwrites it, element by element. Where that cannot
//! be, the value gets memory of its own and is copied to the storage at the end.

use super::groups::is_stored_directly;
use super::keep::Decisions;
use super::rows::{Target, Unit, row_task};
use super::task::{Slot, Task};
use crate::graph::{NodeId, Op, Value};
use crate::storage::Storage;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// The tasks in order, and for each output of the graph whether its value's own kernel writes it.
pub fn order(decisions: &Decisions, tasks: Vec<Task>) -> (Vec<Task>, Vec<bool>) {
    let mut schedule = Schedule::new(decisions, tasks);
    let outputs = 0..decisions.graph.outputs.len();
    let direct: Vec<bool> = outputs.map(|index| schedule.store(index)).collect();
    (schedule.sorted(), direct)
}

struct Schedule<'a> {
    decisions: &'a Decisions<'a>,
    tasks: Vec<Task>,
    /// For each task, those that must run before it.
    before: Vec<BTreeSet<usize>>,
    writers: BTreeMap<Slot, Vec<usize>>,
    loads: BTreeMap<Storage, Value>,
}

impl<'a> Schedule<'a> {
    fn new(decisions: &'a Decisions<'a>, tasks: Vec<Task>) -> Schedule<'a> {
        let graph = decisions.graph;
        let mut schedule = Schedule {
            decisions,
            tasks: Vec::new(),
            before: Vec::new(),
            writers: BTreeMap::new(),
            loads: BTreeMap::new(),
        };
        for id in graph.ids() {
            if let Op::Load(storage) = graph.node(id).op {
                schedule.loads.insert(storage, Value { node: id, result: 0 });
            }
        }
        for (index, task) in tasks.iter().enumerate() {
            for access in &task.writes {
                schedule.writers.entry(access.slot).or_default().push(index);
            }
        }
        for task in tasks {
            schedule.push(task);
        }
        schedule
    }

    fn push(&mut self, task: Task) -> usize {
        let index = self.tasks.len();
        let read = task.reads.iter().map(|access| access.slot).chain(task.onto);
        let makers = read.flat_map(|slot| self.writers.get(&slot).cloned().unwrap_or_default());
        self.before.push(makers.filter(|maker| *maker != index).collect());
        self.tasks.push(task);
        index
    }

    /// Decides how an output gets to its storage; true if the kernel that makes its value writes it there.
    fn store(&mut self, index: usize) -> bool {
        let output = &self.decisions.graph.outputs[index];
        let readers = self.readers_before(output.target);
        if !is_stored_directly(self.decisions, index) {
            let copy = self.writers[&Slot::Output(index)].clone();
            copy.iter().for_each(|copy| self.wait(*copy, &readers));
            return false;
        }
        let writers = self.writers[&Slot::Value(output.value)].clone();
        let in_place = |writer: &usize| {
            let waits = readers.iter().all(|reader| reader == writer || !self.depends(*reader, *writer));
            waits && (!readers.contains(writer) || self.overwrites_what_it_reads(*writer, output.value, output.target))
        };
        if writers.iter().all(in_place) {
            writers.iter().for_each(|writer| self.wait(*writer, &readers));
            return true;
        }
        let unit = Unit { node: output.value.node, value: output.value, target: Target::Output(index) };
        let copy = row_task(self.decisions, &[unit], |_| true).expect("bug in tfc: a kept value cannot be copied");
        let copy = self.push(copy);
        self.writers.insert(Slot::Output(index), vec![copy]);
        self.wait(copy, &readers);
        false
    }

    /// The tasks that read what stood in a storage before.
    fn readers_before(&self, storage: Storage) -> Vec<usize> {
        let Some(load) = self.loads.get(&storage) else { return Vec::new() };
        (0..self.tasks.len()).filter(|task| self.tasks[*task].touches(Slot::Value(*load))).collect()
    }

    fn wait(&mut self, task: usize, before: &[usize]) {
        self.before[task].extend(before.iter().copied().filter(|b| *b != task));
    }

    fn depends(&self, task: usize, on: usize) -> bool {
        let mut seen = BTreeSet::new();
        let mut pending = vec![task];
        while let Some(task) = pending.pop() {
            if task == on {
                return true;
            }
            pending.extend(self.before[task].iter().copied().filter(|t| seen.insert(*t)));
        }
        false
    }

    /// Whether a task reads the old content of a storage only at the elements that it then writes.
    fn overwrites_what_it_reads(&self, task: usize, value: Value, storage: Storage) -> bool {
        let task = &self.tasks[task];
        let writes = (0..task.writes.len()).filter(|write| task.writes[*write].slot == Slot::Value(value));
        let old = Slot::Value(self.loads[&storage]);
        writes.into_iter().all(|write| task.overwritable(write).contains(&old))
    }

    fn sorted(self) -> Vec<Task> {
        let mut waiting: Vec<usize> = self.before.iter().map(BTreeSet::len).collect();
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); self.tasks.len()];
        for (task, before) in self.before.iter().enumerate() {
            before.iter().for_each(|b| after[*b].push(task));
        }
        let mut tasks: Vec<Option<Task>> = self.tasks.into_iter().map(Some).collect();
        let place: Vec<NodeId> = tasks.iter().flatten().map(Task::last_node).collect();
        let mut ready: BinaryHeap<Reverse<(NodeId, usize)>> =
            (0..tasks.len()).filter(|t| waiting[*t] == 0).map(|t| Reverse((place[t], t))).collect();
        let mut sorted = Vec::new();
        while let Some(Reverse((_, task))) = ready.pop() {
            sorted.extend(tasks[task].take());
            for next in &after[task] {
                waiting[*next] -= 1;
                if waiting[*next] == 0 {
                    ready.push(Reverse((place[*next], *next)));
                }
            }
        }
        assert_eq!(sorted.len(), tasks.len(), "bug in tfc: tasks wait for each other");
        sorted
    }
}
