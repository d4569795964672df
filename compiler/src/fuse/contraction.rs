//! A matrix product with what is computed while its operands are loaded and before its result is stored.
//!
//! Each of the three parts, A over (m, k), B over (n, k) and the result over (m, n), is an expression in a space of its own, behind the
//! leading axes that all share. Then every part must walk its axes in three steps: outer, row, column.

use super::expression::{Expression, Load};
use super::keep::Decisions;
use super::lines::{in_space, merge, with_indices};
use super::place::{Address, Axis, Blocked, Place, Space};
use super::task::{Access, ContractionWork, Slot, Task, Work};
use crate::graph::{NodeId, Op, Value};
use crate::kernel::{Program, ProgramOp, Register};
use crate::size::Size;

pub fn contraction_task(decisions: &Decisions, node: NodeId) -> Result<Task, Blocked> {
    let graph = decisions.graph;
    let product = Value { node, result: 0 };
    let [a, b] = [graph.operands(node)[0], graph.operands(node)[1]];
    let Op::MatMul { transpose_a, transpose_b } = *graph.op(product) else { panic!("bug in tfc: not a product") };
    let [shape, a_shape] = [product, a].map(|v| &graph.ty(v).shape);
    let rank = shape.len();
    let (leading, m, n) = (&shape[..rank - 2], &shape[rank - 2], &shape[rank - 1]);
    let k = &a_shape[if transpose_a { rank - 2 } else { rank - 1 }];

    let a_part = operand_part(decisions, a, leading, [m, k], transpose_a)?;
    let b_part = operand_part(decisions, b, leading, [n, k], !transpose_b)?;
    let epilogue = epilogue_part(decisions, product, leading, [m, n])?;
    let (outer, [a_steps, b_steps, epilogue_steps]) =
        steps(&[&a_part, &b_part, &epilogue], leading).map_err(|part| Blocked::Keep([a, b, product][part]))?;

    let a_loaded = a_part.loaded(&a_steps).ok_or(Blocked::Keep(a))?;
    let b_loaded = b_part.loaded(&b_steps).ok_or(Blocked::Keep(b))?;
    let (epilogue_program, epilogue_reads) = epilogue.stored(&epilogue_steps).ok_or(Blocked::Keep(product))?;

    let mut task = Assembly::default();
    task.reads.push(a_loaded.matrix);
    task.reads.push(b_loaded.matrix);
    let prologue_a = task.prologue(a_loaded.prologue, a_loaded.reads, &a_part.numbers);
    let prologue_b = task.prologue(b_loaded.prologue, b_loaded.reads, &b_part.numbers);
    let epilogue_program = task.program(epilogue_program, None, epilogue_reads, &epilogue.numbers);
    let exit = Slot::Value(decisions.epilogues.exit(product));
    let work = Work::Contraction(ContractionWork {
        m: a_part.space.extent(&a_steps.row),
        k: a_part.space.extent(&a_steps.column),
        n: b_part.space.extent(&b_steps.row),
        outer,
        transpose_a: a_loaded.swapped,
        transpose_b: !b_loaded.swapped,
        prologue_a,
        prologue_b,
        epilogue: epilogue_program,
        result: epilogue.result,
    });
    let store = epilogue.store.as_ref().expect("an epilogue stores");
    let writes = vec![epilogue_steps.access(exit, store)];
    let absorbed = decisions.epilogues.owners.iter().filter(|(_, owner)| **owner == node).map(|(node, _)| *node);
    let nodes = [node].into_iter().chain(absorbed).collect();
    Ok(Task { nodes, work, reads: task.reads, writes, numbers: task.numbers, onto: None })
}

/// An expression over leading axes, rows and columns.
struct Part {
    space: Space,
    program: Program,
    result: Register,
    loads: Vec<Load>,
    /// Where the result is stored; only of the epilogue.
    store: Option<Address>,
    numbers: Vec<Size>,
    indexed: Vec<usize>,
}

impl Part {
    fn new(space: &Space, expression: Expression, result: Register, store: Option<Address>) -> Part {
        let indexed = expression.indexed();
        let Expression { program, loads, numbers, .. } = expression;
        Part { space: space.clone(), program, result, loads, store, numbers, indexed }
    }
}

/// A matrix: `[…, row, column]`, or the last two axes swapped.
fn operand_part(
    decisions: &Decisions,
    value: Value,
    leading: &[Size],
    [row, column]: [&Size; 2],
    swapped: bool,
) -> Result<Part, Blocked> {
    let shape = &decisions.graph.ty(value).shape;
    in_space(&[leading, &[row.clone(), column.clone()]].concat(), |space, _| {
        let mut place = matrix_place(space, shape.len());
        if swapped {
            place.swap(shape.len() - 2, shape.len() - 1);
        }
        let mut expression = Expression::new(decisions, space);
        let result = expression.value(value, &place)?;
        Ok(Part::new(space, expression, result, None))
    })
}

fn epilogue_part(decisions: &Decisions, product: Value, leading: &[Size], [m, n]: [&Size; 2]) -> Result<Part, Blocked> {
    let exit = decisions.epilogues.exit(product);
    let shape = &decisions.graph.ty(exit).shape;
    in_space(&[leading, &[m.clone(), n.clone()]].concat(), |space, _| {
        let place = matrix_place(space, shape.len());
        let mut expression = Expression::new(decisions, space);
        let sum = expression.program.push(ProgramOp::Given);
        expression.define(product, sum);
        let result = if exit == product { sum } else { expression.compute(exit, &place)? };
        let store = space.address(&place, shape);
        Ok(Part::new(space, expression, result, Some(store)))
    })
}

/// The last axes of the space; all of them, or only the two of a matrix that the leading axes share.
fn matrix_place(space: &Space, rank: usize) -> Place {
    let axes: Vec<Axis> = (0..space.axes.len()).map(|axis| space.axis(axis)).collect();
    axes[axes.len() - rank..].to_vec()
}

/// The dimensions of one part in three steps.
struct Steps {
    outer: Vec<usize>,
    row: Vec<usize>,
    column: Vec<usize>,
}

impl Steps {
    fn access(&self, slot: Slot, address: &Address) -> Access {
        Access::along(slot, address, [&self.outer, &self.row, &self.column].into_iter())
    }
}

/// The steps of A, B and the result, and the extent of the outer one: the leading axes are more rows of one product where B is the same
/// for all of them, otherwise products of their own. An error names the part that cannot be walked so.
fn steps(parts: &[&Part; 3], leading: &[Size]) -> Result<(Size, [Steps; 3]), usize> {
    let axis = |part: &Part, at: usize| part.space.axes[leading.len() + at].clone();
    let leads = |part: &Part| part.space.axes[..leading.len()].concat();
    let as_products = |i: usize| Steps { outer: leads(parts[i]), row: axis(parts[i], 0), column: axis(parts[i], 1) };
    let as_rows = |i: usize| {
        let Steps { outer, row, column } = as_products(i);
        // A single row has no stride of its own.
        let row = if parts[i].space.extent(&row).is_one() { outer } else { [outer, row].concat() };
        Steps { outer: Vec::new(), row, column }
    };
    let shared = Steps { outer: Vec::new(), ..as_products(1) };
    let rows = [as_rows(0), shared, as_rows(2)];
    if is_shared(parts[1], &leads(parts[1])) && (0..3).all(|i| walks(parts[i], &rows[i])) {
        return Ok((Size::constant(1), rows));
    }
    let products = [0, 1, 2].map(as_products);
    match (0..3).find(|i| !walks(parts[*i], &products[*i])) {
        None => Ok((Size::product(leading), products)),
        Some(part) => Err(part),
    }
}

fn is_shared(part: &Part, leading: &[usize]) -> bool {
    let still = |load: &Load| leading.iter().all(|d| load.address.strides[*d] == Size::default());
    part.loads.iter().all(still)
}

fn walks(part: &Part, steps: &Steps) -> bool {
    let addresses: Vec<&Address> = part.loads.iter().map(|load| &load.address).chain(&part.store).collect();
    [&steps.outer, &steps.row, &steps.column].iter().all(|step| merge(&part.space, &addresses, &part.indexed, step))
}

/// A matrix as it is stored, and what is computed of it while it is loaded.
struct Loaded {
    matrix: Access,
    /// Stored with rows and columns swapped.
    swapped: bool,
    prologue: Option<(Program, Register, u16)>,
    /// All reads of the part; the matrix is the one whose index stands in the prologue.
    reads: Vec<Access>,
}

impl Part {
    /// The matrix is the read that moves along most axes; in memory its rows or its columns must be contiguous, and everything else
    /// must be addressed by its rows and columns.
    fn loaded(&self, steps: &Steps) -> Option<Loaded> {
        let mut reads: Vec<Access> =
            self.loads.iter().map(|load| steps.access(Slot::Value(load.value), &load.address)).collect();
        let moves = |read: &Access| read.strides[1..].iter().filter(|s| **s != Size::default()).count();
        let most = reads.iter().map(moves).max()?;
        let index = reads.iter().position(|read| moves(read) == most)?;
        let contiguous = |step: &[usize], stride: &Size| stride.is_one() || self.space.extent(step).is_one();
        let [_, row, column] = &reads[index].strides[..] else { return None };
        let swapped = match (contiguous(&steps.column, column), contiguous(&steps.row, row)) {
            (true, _) => false,
            (false, true) => true,
            (false, false) => return None,
        };
        if swapped {
            reads.iter_mut().for_each(|read| read.strides.swap(1, 2));
        }
        let line = if swapped { &steps.row } else { &steps.column };
        let rest = reads.iter().enumerate().filter(|(i, _)| *i != index);
        if !rest.map(|(_, read)| read).all(is_along_rows) {
            return None;
        }
        let program = with_indices(&self.program, |d| (*line == [d]).then_some(ProgramOp::InnerIndex))?;
        let plain = program.ops == [ProgramOp::Load(0)];
        let prologue = (!plain).then_some((program, self.result, index as u16));
        Some(Loaded { matrix: reads[index].clone(), swapped, prologue, reads })
    }

    /// The epilogue's program and what it reads.
    fn stored(&self, steps: &Steps) -> Option<(Program, Vec<Access>)> {
        let reads: Vec<Access> =
            self.loads.iter().map(|load| steps.access(Slot::Value(load.value), &load.address)).collect();
        let program = with_indices(&self.program, |d| (steps.column == [d]).then_some(ProgramOp::InnerIndex))?;
        reads.iter().all(is_along_rows).then_some((program, reads))
    }
}

/// Contiguous along a row, or one number for all of it.
fn is_along_rows(read: &Access) -> bool {
    read.strides[2].is_one() || read.strides[2] == Size::default()
}

/// The reads and numbers of all programs, one after the other.
#[derive(Default)]
struct Assembly {
    reads: Vec<Access>,
    numbers: Vec<Size>,
}

impl Assembly {
    fn prologue(
        &mut self,
        prologue: Option<(Program, Register, u16)>,
        reads: Vec<Access>,
        numbers: &[Size],
    ) -> Option<(Program, Register)> {
        let (program, result, matrix) = prologue?;
        Some((self.program(program, Some(matrix), reads, numbers), result))
    }

    /// The program with loads and numbers renamed; what it reads of `matrix` is given to it.
    fn program(&mut self, program: Program, matrix: Option<u16>, reads: Vec<Access>, numbers: &[Size]) -> Program {
        let mut names = Vec::new();
        for (index, read) in reads.into_iter().enumerate() {
            names.push(self.reads.len() as u16);
            if Some(index as u16) != matrix {
                self.reads.push(read);
            }
        }
        let first_number = self.numbers.len() as u16;
        self.numbers.extend_from_slice(numbers);
        let rename = |op: ProgramOp| match op {
            ProgramOp::Load(read) if Some(read) == matrix => ProgramOp::Given,
            ProgramOp::Load(read) => ProgramOp::Load(names[read as usize]),
            ProgramOp::Uniform { seed, stream } => {
                ProgramOp::Uniform { seed: names[seed as usize], stream: first_number + stream }
            }
            ProgramOp::Size(number) => ProgramOp::Size(first_number + number),
            other => other,
        };
        Program { ops: program.ops.into_iter().map(rename).collect() }
    }
}
