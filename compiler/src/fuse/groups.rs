//! Which values are computed by one kernel: pointwise operations and reductions over the same rows join into groups, everything else is a
//! group of its own.
//!
//! A unit joins the group of something it reads if both walk the same rows (or one works on one number per row of the other), if it reads
//! it at the place where it is computed, and if no third group stands between them. One after the other, in the order of the
//! graph, each with what was computed last first.

use super::chunks::chunks_task;
use super::class::{Class, class, wide_axes};
use super::contraction::contraction_task;
use super::cost;
use super::dense::dense_task;
use super::expression::Expression;
use super::keep::Decisions;
use super::lines::in_space;
use super::place::Blocked;
use super::rows::{Target, Unit, column_task, row_task};
use super::task::{Slot, Task};
use crate::graph::{NodeId, Value};
use crate::optimization::Optimization;
use crate::size::Size;
use std::collections::{BTreeMap, BTreeSet};

/// All tasks, in no particular order; or the values that have to be kept for them.
pub fn tasks(decisions: &Decisions) -> Result<Vec<Task>, BTreeSet<Value>> {
    let mut found = Found::default();
    let mut must_keep = BTreeSet::new();
    let mut note = |result: Result<(), Blocked>| match result {
        Err(Blocked::Keep(value)) => drop(must_keep.insert(value)),
        Err(Blocked::Cut { .. }) => panic!("bug in tfc: a cut was asked for outside of a space"),
        Ok(()) => {}
    };
    for id in decisions.graph.ids() {
        note(found.fixed(decisions, id));
    }
    for unit in units(decisions) {
        note(found.unit(decisions, unit));
    }
    if !must_keep.is_empty() {
        return Err(must_keep);
    }
    let mut groups = Groups::new(found, decisions);
    if !decisions.disabled.has(Optimization::Groups) {
        groups.join();
    }
    groups.tasks(decisions)
}

/// Everything that row programs compute, in the order of the graph.
fn units(decisions: &Decisions) -> Vec<Unit> {
    let graph = decisions.graph;
    let mut units = Vec::new();
    for node in graph.ids() {
        let value = Value { node, result: 0 };
        let kept = decisions.kept.contains(&value) && !decisions.epilogues.owners.contains_key(&node);
        match class(graph, node) {
            Class::Pointwise | Class::View | Class::Source if kept => {
                units.push(Unit { node, value, target: Target::Own });
            }
            Class::Row | Class::Middle => units.push(Unit { node, value, target: Target::Own }),
            Class::Concat => {
                let part = |(operand, value)| Unit {
                    node,
                    value,
                    target: Target::Part { concat: Value { node, result: 0 }, operand },
                };
                units.extend(graph.operands(node).into_iter().enumerate().map(part));
            }
            Class::Pointwise | Class::View | Class::Source => {}
            Class::Load | Class::Columns | Class::Contraction | Class::Opaque | Class::Chunks => {}
        }
    }
    for (index, output) in graph.outputs.iter().enumerate() {
        if !is_stored_directly(decisions, index) {
            units.push(Unit { node: output.value.node, value: output.value, target: Target::Output(index) });
        }
    }
    units.sort();
    units
}

/// Whether the kernel that makes an output's value can write it to where the output goes: it is made by a kernel, and goes nowhere else first.
pub fn is_stored_directly(decisions: &Decisions, output: usize) -> bool {
    let outputs = &decisions.graph.outputs;
    let value = outputs[output].value;
    let made = decisions.kept.contains(&value) && class(decisions.graph, value.node) != Class::Load;
    made && !outputs[..output].iter().any(|earlier| earlier.value == value)
}

/// A member of a group: a unit, or a task that stands alone.
struct Member {
    unit: Option<Unit>,
    task: Option<Task>,
    /// What is read, and whether a register will do: whether it is once, at the very place of the iteration.
    reads: BTreeMap<Value, bool>,
    writes: Vec<Value>,
    /// Whether it draws random numbers, which are numbered by the axes it is iterated over.
    draws: bool,
    /// Whether it computes again what was computed before.
    again: bool,
    node: NodeId,
}

#[derive(Default)]
struct Found {
    members: Vec<Member>,
}

impl Found {
    /// The task of a node that no group can join.
    fn fixed(&mut self, decisions: &Decisions, node: NodeId) -> Result<(), Blocked> {
        let task = match class(decisions.graph, node) {
            Class::Columns => column_task(decisions, Value { node, result: 0 })?,
            Class::Contraction => contraction_task(decisions, node)?,
            Class::Opaque => dense_task(decisions, node),
            Class::Chunks => {
                let Some(task) = chunks_task(decisions, node) else { return Ok(()) };
                task
            }
            Class::Load | Class::Source | Class::View | Class::Pointwise => return Ok(()),
            Class::Concat | Class::Row | Class::Middle => return Ok(()),
        };
        let value = |slot: Slot| if let Slot::Value(value) = slot { Some(value) } else { None };
        let slots = task.reads.iter().map(|access| access.slot).chain(task.onto);
        let reads = slots.filter_map(value).map(|value| (value, false)).collect();
        let writes = task.writes.iter().filter_map(|access| value(access.slot)).collect();
        let node = task.last_node();
        let again = decisions.graph.node(node).origin.again;
        self.members.push(Member { unit: None, task: Some(task), reads, writes, draws: false, again, node });
        Ok(())
    }

    fn unit(&mut self, decisions: &Decisions, unit: Unit) -> Result<(), Blocked> {
        let (reads, draws) = in_space(&unit.axes(decisions), |space, _| {
            let mut expression = Expression::new(decisions, space);
            unit.compute(&mut expression, decisions)?;
            let mut reads = BTreeMap::new();
            for load in &expression.loads {
                *reads.entry(load.value).or_insert(true) &= load.here && !unit.rereads(load.value, decisions);
            }
            Ok((reads, expression.draws()))
        })?;
        let writes = match unit.target {
            Target::Own => vec![unit.value],
            Target::Part { concat, .. } => vec![concat],
            Target::Output(_) => Vec::new(),
        };
        let again = decisions.graph.node(unit.node).origin.again;
        self.members.push(Member { unit: Some(unit), task: None, reads, writes, draws, again, node: unit.node });
        Ok(())
    }
}

/// What members do together.
#[derive(Default)]
struct Group {
    members: Vec<usize>,
    /// The axes of its widest unit; None for a task that stands alone.
    axes: Option<Vec<Size>>,
    /// Whether a unit works on one number per row of those axes.
    per_row: bool,
    reduces: bool,
    draws: bool,
    reads: BTreeSet<Value>,
    first: u32,
    last: u32,
}

struct Groups {
    members: Vec<Member>,
    groups: Vec<Group>,
    /// Of each member.
    group_of: Vec<usize>,
    /// The members that write a value, and that read it.
    writers: BTreeMap<Value, Vec<usize>>,
    readers: BTreeMap<Value, Vec<usize>>,
    /// Values that are handed back.
    outputs: BTreeSet<Value>,
    /// The axes wider than 1 of every value that is read.
    spans: BTreeMap<Value, Vec<Size>>,
}

impl Groups {
    fn new(found: Found, decisions: &Decisions) -> Groups {
        let mut writers: BTreeMap<Value, Vec<usize>> = BTreeMap::new();
        let mut readers: BTreeMap<Value, Vec<usize>> = BTreeMap::new();
        let mut groups = Vec::new();
        for (index, member) in found.members.iter().enumerate() {
            member.writes.iter().for_each(|value| writers.entry(*value).or_default().push(index));
            member.reads.keys().for_each(|value| readers.entry(*value).or_default().push(index));
            let joins = member
                .unit
                .filter(|unit| class(decisions.graph, unit.value.node) != Class::Middle || unit.target != Target::Own);
            groups.push(Group {
                members: vec![index],
                axes: joins.map(|unit| unit.axes(decisions)),
                per_row: false,
                reduces: member.unit.is_some_and(|unit| unit.reduces(decisions)),
                draws: member.draws,
                reads: member.reads.keys().copied().collect(),
                first: member.node.0,
                last: member.node.0,
            });
        }
        let group_of = (0..groups.len()).collect();
        let outputs = decisions.graph.outputs.iter().map(|output| output.value).collect();
        let wide = |value: &Value| {
            let shape = &decisions.graph.ty(*value).shape;
            wide_axes(shape).into_iter().map(|axis| shape[axis].clone()).collect()
        };
        let spans = readers.keys().map(|value| (*value, wide(value))).collect();
        Groups { members: found.members, groups, group_of, writers, readers, outputs, spans }
    }

    fn readers(&self, value: Value) -> &[usize] {
        self.readers.get(&value).map(Vec::as_slice).unwrap_or_default()
    }

    fn writers(&self, value: Value) -> &[usize] {
        self.writers.get(&value).map(Vec::as_slice).unwrap_or_default()
    }

    /// Until nothing joins any more: what only one group needs may be seen only when that group is whole.
    fn join(&mut self) {
        let mut joined = true;
        while joined {
            joined = false;
            for member in 0..self.members.len() {
                joined |= self.join_makers(member);
            }
        }
    }

    /// Joins the group of a member with those that make what it reads, as far as they may; whether any did.
    fn join_makers(&mut self, member: usize) -> bool {
        let reads = self.members[member].reads.keys();
        let mut makers: Vec<usize> = reads.flat_map(|value| self.writers(*value)).copied().collect();
        makers.sort_by_key(|maker| std::cmp::Reverse((self.members[*maker].node, *maker)));
        let mut joined = false;
        for maker in makers {
            let [into, from] = [maker, member].map(|m| self.group_of[m]);
            if into != from && self.may_join(into, from) {
                self.absorb(into, from);
                joined = true;
            }
        }
        joined
    }

    fn may_join(&self, into: usize, from: usize) -> bool {
        same_rows(&self.groups[into], &self.groups[from])
            && self.operands(into, from) <= cost::ROW_OPERANDS
            && self.reads_here(into, from)
            && self.saves_a_pass(into, from)
            && !self.stand_between(into, from)
            && !self.moves_forward(into, from)
    }

    /// Whether what is computed again would be computed with what it is made of: long before it is needed.
    fn moves_forward(&self, maker: usize, reader: usize) -> bool {
        let made_first = |member: &usize| self.group_of[*member] == maker && !self.members[*member].again;
        let again = self.groups[reader].members.iter().filter(|member| self.members[**member].again);
        again.flat_map(|member| self.members[*member].reads.keys()).any(|v| self.writers(*v).iter().any(made_first))
    }

    /// Whether joining saves reading a tensor of all their rows, or the reader works on numbers per row itself, or nobody else needs what it
    /// reads. A number that many groups need is no reason to be part of one of them.
    fn saves_a_pass(&self, maker: usize, reader: usize) -> bool {
        let [made, read] = [maker, reader].map(|group| &self.groups[group]);
        let axes = made.axes.iter().chain(&read.axes).max_by_key(|axes| axes.len());
        let spans = |value: &Value| self.spans.get(value) == axes;
        let is_made = |value: &&Value| self.writers(**value).iter().any(|writer| self.group_of[*writer] == maker);
        let inside = |member: &usize| [maker, reader].contains(&self.group_of[*member]);
        let alone = |value: &Value| !self.outputs.contains(value) && self.readers(*value).iter().all(inside);
        let mut links = read.reads.iter().filter(is_made);
        made.reads.intersection(&read.reads).any(spans)
            || read.axes.as_ref() != axes
            || links.clone().any(spans)
            || links.all(alone)
    }

    /// How many buffers both would touch together: what is read from elsewhere, and what is needed elsewhere.
    fn operands(&self, a: usize, b: usize) -> usize {
        let inside = |member: &usize| [a, b].contains(&self.group_of[*member]);
        let reads = self.groups[a].reads.union(&self.groups[b].reads);
        let read = reads.filter(|value| !self.writers(**value).iter().any(inside)).count();
        let members = self.groups[a].members.iter().chain(&self.groups[b].members);
        let is_stored = |member: &&usize| match self.members[**member].writes.first() {
            Some(value) => self.outputs.contains(value) || !self.readers(*value).iter().all(inside),
            None => true,
        };
        read + members.filter(is_stored).count()
    }

    /// Whether what one of the groups makes and the other reads is read at the place of the iteration, from a register.
    fn reads_here(&self, a: usize, b: usize) -> bool {
        let members = self.groups[a].members.iter().chain(&self.groups[b].members);
        let mut reads = members.flat_map(|member| &self.members[*member].reads);
        let inside = |writer: &&usize| [a, b].contains(&self.group_of[**writer]);
        let in_register = |writer: &usize| self.members[*writer].unit.is_some_and(|unit| unit.target == Target::Own);
        reads.all(|(value, here)| self.writers(*value).iter().filter(inside).all(|writer| *here && in_register(writer)))
    }

    /// Whether a third group needs what `into` makes, and `from` needs what that one makes; or the other way round.
    fn stand_between(&self, into: usize, from: usize) -> bool {
        self.depends(from, into, true) || self.depends(into, from, true)
    }

    /// Whether a group depends on another, other than directly.
    fn depends(&self, group: usize, on: usize, indirectly: bool) -> bool {
        let mut seen = BTreeSet::from([group]);
        let mut pending: Vec<(usize, bool)> = vec![(group, !indirectly)];
        while let Some((group, direct_counts)) = pending.pop() {
            for value in &self.groups[group].reads {
                for writer in self.writers(*value) {
                    let maker = self.group_of[*writer];
                    if maker == on && direct_counts {
                        return true;
                    }
                    // What is done before `on` begins cannot depend on it.
                    if maker != on && self.groups[maker].last >= self.groups[on].first && seen.insert(maker) {
                        pending.push((maker, true));
                    }
                }
            }
        }
        false
    }

    fn absorb(&mut self, into: usize, from: usize) {
        let from = std::mem::take(&mut self.groups[from]);
        from.members.iter().for_each(|member| self.group_of[*member] = into);
        let group = &mut self.groups[into];
        group.members.extend(from.members);
        group.per_row |= from.per_row || from.axes != group.axes;
        if from.axes.as_ref().map(Vec::len) > group.axes.as_ref().map(Vec::len) {
            group.axes = from.axes;
        }
        group.reduces |= from.reduces;
        group.draws |= from.draws;
        group.reads.extend(from.reads);
        group.first = group.first.min(from.first);
        group.last = group.last.max(from.last);
    }

    /// Whether anything outside of its group needs what a unit computes.
    fn is_needed(&self, member: usize) -> bool {
        let group = self.group_of[member];
        let elsewhere = |value: &Value| self.readers(*value).iter().any(|reader| self.group_of[*reader] != group);
        self.members[member].writes.iter().any(|value| self.outputs.contains(value) || elsewhere(value))
    }

    fn tasks(mut self, decisions: &Decisions) -> Result<Vec<Task>, BTreeSet<Value>> {
        let needed: BTreeSet<Value> = (0..self.members.len())
            .filter(|member| self.is_needed(*member))
            .flat_map(|member| self.members[member].writes.clone())
            .collect();
        let mut tasks = Vec::new();
        let mut must_keep = BTreeSet::new();
        for group in std::mem::take(&mut self.groups) {
            let mut units: Vec<Unit> = group.members.iter().filter_map(|m| self.members[*m].unit).collect();
            units.sort();
            if units.is_empty() {
                tasks.extend(group.members.iter().filter_map(|m| self.members[*m].task.take()));
                continue;
            }
            let stored = |unit: &Unit| unit.target != Target::Own || needed.contains(&unit.value);
            match row_task(decisions, &units, stored) {
                Ok(task) => tasks.push(task),
                Err(Blocked::Keep(value)) => drop(must_keep.insert(value)),
                Err(Blocked::Cut { .. }) => panic!("bug in tfc: a cut was asked for outside of a space"),
            }
        }
        if must_keep.is_empty() { Ok(tasks) } else { Err(must_keep) }
    }
}

/// Whether two groups walk the same rows, or one works on single numbers of the rows of the other: then on nothing that is fewer, which would be
/// computed and stored once for each of these.
fn same_rows(a: &Group, b: &Group) -> bool {
    let (Some(a_axes), Some(b_axes)) = (&a.axes, &b.axes) else { return false };
    let (wide, narrow) = if a_axes.len() >= b_axes.len() { (a, b) } else { (b, a) };
    let (Some(wide_axes), Some(narrow_axes)) = (&wide.axes, &narrow.axes) else { return false };
    let rows = wide_axes.split_last().map(|(_, rows)| rows);
    let single = !narrow.per_row && !narrow.reduces && !narrow.draws;
    wide_axes == narrow_axes || (single && rows == Some(narrow_axes))
}
