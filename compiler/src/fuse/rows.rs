//! Groups of pointwise operations and reductions over the same rows, as one row program; sums over leading axes, as one column reduction.

use super::class::{Class, class, wide_axes};
use super::expression::{Expression, aligned};
use super::keep::Decisions;
use super::lines::{in_space, lines, whole_columns};
use super::place::{Address, Axis, Blocked, Place, Space};
use super::task::{Access, ColumnWork, RowWork, Slot, Task, Work};
use crate::graph::{NodeId, Op, Reduction, Value};
use crate::kernel::{ProgramOp, Register};
use crate::scalar::{Binary, Unary};
use crate::size::Size;

/// A value that a row program computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unit {
    /// Where in the order of the graph it is done.
    pub node: NodeId,
    pub value: Value,
    pub target: Target,
}

/// Where a unit's value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// It is computed for its own sake.
    Own,
    /// Operand of a concatenation.
    Part { concat: Value, operand: usize },
    /// Copied to an output, by index.
    Output(usize),
}

impl Unit {
    /// The sizes of the axes that are iterated over to compute it, without those of size 1; a reduced axis is the last.
    pub fn axes(&self, decisions: &Decisions) -> Vec<Size> {
        let graph = decisions.graph;
        let reduced = self.reduced_axes(decisions);
        let iterated = if reduced.is_some() { graph.operands(self.value.node)[0] } else { self.value };
        let shape = &graph.ty(iterated).shape;
        in_order(shape, reduced).into_iter().map(|axis| shape[axis].clone()).collect()
    }

    pub fn reduces(&self, decisions: &Decisions) -> bool {
        self.target == Target::Own && matches!(class(decisions.graph, self.value.node), Class::Row | Class::Middle)
    }

    /// Whether it reads this value time and again, so that it had better come from memory.
    pub fn rereads(&self, value: Value, decisions: &Decisions) -> bool {
        let shape = &decisions.graph.ty(value).shape;
        let selects = self.target == Target::Own && *decisions.graph.op(self.value) == Op::KthLargest;
        selects && wide_axes(shape).len() == self.axes(decisions).len()
    }

    pub fn slot(&self) -> Slot {
        match self.target {
            Target::Own => Slot::Value(self.value),
            Target::Part { concat, .. } => Slot::Value(concat),
            Target::Output(index) => Slot::Output(index),
        }
    }

    /// The register of the value in a space of [`Unit::axes`].
    pub fn compute(&self, expression: &mut Expression, decisions: &Decisions) -> Result<Register, Blocked> {
        let graph = decisions.graph;
        if !self.reduces(decisions) {
            let place = aligned(expression.space, &graph.ty(self.value).shape);
            return match self.target {
                Target::Own => expression.compute(self.value, &place),
                Target::Part { .. } | Target::Output(_) => expression.value(self.value, &place),
            };
        }
        let operand = graph.operands(self.value.node)[0];
        let element = expression.value(operand, &self.reduced_place(expression.space, decisions))?;
        Ok(match graph.op(self.value) {
            Op::Reduce { reduction, .. } => expression.program.push(ProgramOp::Reduce(*reduction, element)),
            Op::ArgMax => arg_max(expression, element),
            Op::KthLargest => {
                let k = graph.operands(self.value.node)[1];
                let k = expression.value(k, &aligned(expression.space, &graph.ty(k).shape))?;
                expression.program.push(ProgramOp::KthLargest(element, k))
            }
            op => panic!("bug in tfc: {op:?} reduces no row"),
        })
    }

    /// The axes of the operand that are reduced, if any are.
    fn reduced_axes<'a>(&self, decisions: &Decisions<'a>) -> Option<&'a [usize]> {
        let graph = decisions.graph;
        if !self.reduces(decisions) {
            return None;
        }
        if let Op::Reduce { axes, .. } = graph.op(self.value) { Some(axes) } else { Some(&[]) }
    }

    /// The place in the operand of a reduction: the reduced axis is the last of the space.
    fn reduced_place(&self, space: &Space, decisions: &Decisions) -> Place {
        let graph = decisions.graph;
        let shape = &graph.ty(graph.operands(self.value.node)[0]).shape;
        let mut place = vec![Axis::still(); shape.len()];
        for (axis, wide) in in_order(shape, self.reduced_axes(decisions)).into_iter().enumerate() {
            place[wide] = space.axis(axis);
        }
        place
    }

    /// Where the value is stored.
    fn address(&self, space: &Space, decisions: &Decisions) -> Address {
        let graph = decisions.graph;
        let shape = &graph.ty(self.value).shape;
        match self.target {
            Target::Own | Target::Output(_) => space.address(&aligned(space, shape), shape),
            Target::Part { concat, operand } => {
                let Op::Concat { axis } = graph.op(concat) else { panic!("bug in tfc: parts are of a concatenation") };
                let before = &graph.operands(concat.node)[..operand];
                let start = before.iter().fold(Size::default(), |sum, v| sum + graph.ty(*v).shape[*axis].clone());
                let mut place = aligned(space, shape);
                place[*axis].offset = start;
                space.address(&place, &graph.ty(concat).shape)
            }
        }
    }
}

/// The axes wider than 1 as they are iterated over: those that are reduced last.
fn in_order(shape: &[Size], reduced: Option<&[usize]>) -> Vec<usize> {
    let is_reduced = |axis: &usize| reduced.is_some_and(|reduced| reduced.contains(axis));
    let (last, first): (Vec<usize>, Vec<usize>) = wide_axes(shape).into_iter().partition(is_reduced);
    [first, last].concat()
}

/// The first index with the largest value: the largest of the negated indices where the row's maximum stands.
fn arg_max(expression: &mut Expression, element: Register) -> Register {
    let inner = *expression.space.axes.last().and_then(|axis| axis.last()).expect("bug in tfc: no classes");
    let program = &mut expression.program;
    let maximum = program.push(ProgramOp::Reduce(Reduction::Maximum, element));
    let largest = program.push(ProgramOp::Binary(Binary::Equal, element, maximum));
    let index = program.push(ProgramOp::OuterIndex(inner as u8));
    let index = program.push(ProgramOp::Unary(Unary::Negate, index));
    let never = program.constant(f64::NEG_INFINITY);
    let candidate = program.push(ProgramOp::Select(largest, index, never));
    let first = program.push(ProgramOp::Reduce(Reduction::Maximum, candidate));
    program.push(ProgramOp::Unary(Unary::Negate, first))
}

/// One row program for units over the same axes; `stored` says which of them anything outside needs.
pub fn row_task(decisions: &Decisions, units: &[Unit], stored: impl Fn(&Unit) -> bool) -> Result<Task, Blocked> {
    let widest = units.iter().map(|unit| unit.axes(decisions)).max_by_key(Vec::len).expect("bug in tfc: no units");
    let by_rows = units.iter().any(|unit| unit.reduces(decisions) || unit.axes(decisions).len() < widest.len());
    in_space(&widest, |space, cuts| {
        let mut expression = Expression::new(decisions, space);
        let mut writes: Vec<(Slot, Address, Register)> = Vec::new();
        for unit in units {
            let register = unit.compute(&mut expression, decisions)?;
            if unit.target == Target::Own {
                expression.define(unit.value, register);
            }
            if stored(unit) {
                writes.push((unit.slot(), unit.address(space, decisions), register));
            }
        }
        let addresses = expression.loads.iter().map(|l| &l.address).chain(writes.iter().map(|w| &w.1));
        let addresses: Vec<&Address> = addresses.collect();
        let lines = lines(space, &addresses, &expression.indexed(), by_rows, cuts)?;
        let program = lines.program(&expression);
        let reads = expression.loads.iter().map(|load| lines.access(Slot::Value(load.value), &load.address));
        let numbers = expression.numbers.clone();
        let work = RowWork {
            outer: lines.outer.iter().map(|group| space.extent(group)).collect(),
            inner: space.extent(&lines.inner),
            program,
            results: writes.iter().map(|(_, _, register)| *register).collect(),
        };
        Ok(Task {
            nodes: units.iter().map(|unit| unit.node).collect(),
            work: Work::Rows(work),
            reads: reads.collect(),
            writes: writes.iter().map(|(slot, address, _)| lines.access(*slot, address)).collect(),
            numbers,
            onto: None,
        })
    })
}

/// A sum over all axes before the last ones.
pub fn column_task(decisions: &Decisions, sum: Value) -> Result<Task, Blocked> {
    let graph = decisions.graph;
    let operand = graph.operands(sum.node)[0];
    let shape = &graph.ty(operand).shape;
    let Op::Reduce { axes, .. } = graph.op(sum) else { panic!("bug in tfc: a column reduction is a reduction") };
    let wide = wide_axes(shape);
    let reduced = wide.iter().filter(|axis| axes.contains(axis)).count();
    let sizes: Vec<Size> = wide.iter().map(|axis| shape[*axis].clone()).collect();
    let exit = decisions.epilogues.exit(sum);
    in_space(&sizes, |space, _| {
        let mut expression = Expression::new(decisions, space);
        let result = expression.value(operand, &aligned(space, shape))?;
        let addresses: Vec<&Address> = expression.loads.iter().map(|load| &load.address).collect();
        let lines = whole_columns(space, &addresses, &expression.indexed(), reduced);
        let lines = lines.ok_or(Blocked::Keep(operand))?;
        let reads = expression.loads.iter().map(|load| lines.access(Slot::Value(load.value), &load.address));
        let work = ColumnWork {
            outer: lines.outer.iter().map(|group| space.extent(group)).collect(),
            inner: space.extent(&lines.inner),
            program: lines.program(&expression),
            result,
        };
        let numbers = expression.numbers.clone();
        let (nodes, onto) = accumulated(decisions, sum, exit);
        Ok(Task {
            nodes,
            work: Work::Columns(work),
            reads: reads.collect(),
            writes: vec![Access::dense(exit)],
            numbers,
            onto,
        })
    })
}

/// The nodes of a kernel whose result goes to `exit`, and what it is added to there, if it is.
pub fn accumulated(decisions: &Decisions, result: Value, exit: Value) -> (Vec<NodeId>, Option<Slot>) {
    if exit == result {
        return (vec![result.node], None);
    }
    let adds = *decisions.graph.op(exit) == Op::Binary(Binary::Add);
    let onto = adds.then(|| Slot::Value(decisions.graph.operands(exit.node)[0]));
    (vec![result.node, exit.node], onto)
}
