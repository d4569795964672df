//! Values as scalar programs: what a kernel computes at each place of its iteration, down to the elements it loads.

use super::class::wide_axes;
use super::keep::Decisions;
use super::place::{self, Address, Axis, Blocked, Place, Space};
use crate::graph::{Op, Value};
use crate::kernel::{Number, Program, ProgramOp, Register};
use crate::scalar::Binary;
use crate::size::Size;
use std::collections::BTreeMap;

/// A kept value read by a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub value: Value,
    pub address: Address,
    /// Whether it is the element at the very place of the iteration, or one number per row of it.
    pub here: bool,
}

/// A program under construction. `ProgramOp::Load` and a seed name an index into `loads`, `ProgramOp::Size` and a stream
/// one into `numbers`, `ProgramOp::OuterIndex` a dimension of the space.
pub struct Expression<'a> {
    decisions: &'a Decisions<'a>,
    pub space: &'a Space,
    pub program: Program,
    pub loads: Vec<Load>,
    pub numbers: Vec<Size>,
    /// What is in registers, wherever it is asked for.
    known: BTreeMap<Value, Register>,
    computed: BTreeMap<(Value, Place), Register>,
}

impl<'a> Expression<'a> {
    pub fn new(decisions: &'a Decisions<'a>, space: &'a Space) -> Expression<'a> {
        let (program, loads, numbers) = (Program::default(), Vec::new(), Vec::new());
        Expression { decisions, space, program, loads, numbers, known: BTreeMap::new(), computed: BTreeMap::new() }
    }

    /// From now on the value is this register.
    pub fn define(&mut self, value: Value, register: Register) {
        self.known.insert(value, register);
    }

    /// The dimensions whose index the program asks for.
    pub fn indexed(&self) -> Vec<usize> {
        let index = |op: &ProgramOp| if let ProgramOp::OuterIndex(d) = op { Some(usize::from(*d)) } else { None };
        self.program.ops.iter().filter_map(index).collect()
    }

    /// Whether the program draws random numbers.
    pub fn draws(&self) -> bool {
        self.program.ops.iter().any(|op| matches!(op, ProgramOp::Uniform { .. }))
    }

    /// The element of a value: from a register, from memory if it is kept, else computed.
    pub fn value(&mut self, value: Value, place: &Place) -> Result<Register, Blocked> {
        if let Some(register) = self.known.get(&value) {
            return Ok(*register);
        }
        if let Some(register) = self.computed.get(&(value, place.clone())) {
            return Ok(*register);
        }
        let kept = self.decisions.kept.contains(&value);
        let register = if kept { self.load(self.load_at(value, place)) } else { self.compute(value, place)? };
        self.computed.insert((value, place.clone()), register);
        Ok(register)
    }

    /// The element of a value as its operation makes it, also if it is kept: what a kernel that makes it starts from.
    pub fn compute(&mut self, value: Value, place: &Place) -> Result<Register, Blocked> {
        let graph = self.decisions.graph;
        let operands = graph.operands(value.node);
        let shape = &graph.ty(value).shape;
        match graph.op(value) {
            Op::Constant(number) => Ok(self.program.push(ProgramOp::Constant(Number(*number)))),
            Op::SizeOf(size) => Ok(self.number(size)),
            Op::Iota { axis } => self.index(&place[*axis], value),
            Op::Uniform { stream, .. } => self.uniform(value, operands[0], *stream, place),
            Op::Unary(function) => {
                let x = self.value(operands[0], place)?;
                Ok(self.program.push(ProgramOp::Unary(*function, x)))
            }
            Op::Binary(function) => self.binary(*function, &operands, place),
            Op::LabelsEqual => self.binary(Binary::Equal, &operands, place),
            Op::Select => {
                let condition = self.value(operands[0], place)?;
                let [a, b] = [self.value(operands[1], place)?, self.value(operands[2], place)?];
                Ok(self.program.push(ProgramOp::Select(condition, a, b)))
            }
            Op::ToFloat => self.value(operands[0], place),
            Op::OneHot { .. } => {
                let (class, rows) = place.split_last().expect("bug in tfc: a one-hot has an axis of classes");
                let class = self.index(class, value)?;
                let label = self.value(operands[0], &rows.to_vec())?;
                Ok(self.program.push(ProgramOp::Binary(Binary::Equal, class, label)))
            }
            Op::Broadcast { .. } => {
                let from = &graph.ty(operands[0]).shape;
                self.value(operands[0], &place::through_broadcast(place, from, shape))
            }
            Op::Reshape { .. } => self.reshape(value, operands[0], place),
            Op::Transpose { permutation } => self.value(operands[0], &place::through_transpose(place, permutation)),
            Op::Slice { axis, start, .. } => self.value(operands[0], &place::through_slice(place, *axis, start)),
            op => panic!("bug in tfc: {op:?} is no expression"),
        }
    }

    fn binary(&mut self, function: Binary, operands: &[Value], place: &Place) -> Result<Register, Blocked> {
        let [a, b] = [self.value(operands[0], place)?, self.value(operands[1], place)?];
        Ok(self.program.push(ProgramOp::Binary(function, a, b)))
    }

    /// The same elements under another shape: where the axes do not fit, those of a dense tensor can still be addressed.
    fn reshape(&mut self, value: Value, operand: Value, place: &Place) -> Result<Register, Blocked> {
        let [from, to] = [operand, value].map(|v| &self.decisions.graph.ty(v).shape);
        match (place::through_reshape(self.space, place, from, to, operand), self.decisions.dense_root(operand)) {
            (Ok(inner), _) => self.value(operand, &inner),
            (Err(_), Some(root)) => {
                let load = Load { value: root, address: self.space.address(place, to), here: false };
                Ok(self.load(load))
            }
            (Err(blocked), None) => Err(blocked),
        }
    }

    fn load(&mut self, load: Load) -> Register {
        let operand = self.operand(load);
        self.program.push(ProgramOp::Load(operand))
    }

    fn operand(&mut self, load: Load) -> u16 {
        let index = self.loads.iter().position(|known| *known == load).unwrap_or_else(|| {
            self.loads.push(load);
            self.loads.len() - 1
        });
        index as u16
    }

    fn load_at(&self, value: Value, place: &Place) -> Load {
        let shape = &self.decisions.graph.ty(value).shape;
        Load { value, address: self.space.address(place, shape), here: self.space.is_here(place, shape) }
    }

    fn number(&mut self, size: &Size) -> Register {
        let index = self.numbers.iter().position(|n| n == size).unwrap_or_else(|| {
            self.numbers.push(size.clone());
            self.numbers.len() - 1
        });
        self.program.push(ProgramOp::Size(index as u16))
    }

    /// The index along one axis: Σ dimension index · stride + offset.
    fn index(&mut self, axis: &Axis, value: Value) -> Result<Register, Blocked> {
        let mut sum = None;
        for (dimension, stride) in self.space.strides_of(axis, &Size::constant(1)) {
            let dimension = u8::try_from(dimension).map_err(|_| Blocked::Keep(value))?;
            let mut term = self.program.push(ProgramOp::OuterIndex(dimension));
            if !stride.is_one() {
                let stride = self.number(&stride);
                term = self.program.push(ProgramOp::Binary(Binary::Multiply, term, stride));
            }
            sum = Some(self.plus(sum, term));
        }
        if sum.is_none() || axis.offset != Size::default() {
            let offset = self.number(&axis.offset);
            sum = Some(self.plus(sum, offset));
        }
        Ok(sum.expect("an index has an offset or a dimension"))
    }

    fn plus(&mut self, sum: Option<Register>, term: Register) -> Register {
        sum.map_or(term, |sum| self.program.push(ProgramOp::Binary(Binary::Add, sum, term)))
    }

    /// Random numbers are numbered by the iteration, so they can only be drawn where it is over exactly their elements.
    fn uniform(&mut self, value: Value, seed: Value, stream: u32, place: &Place) -> Result<Register, Blocked> {
        let shape = &self.decisions.graph.ty(value).shape;
        if self.space.address(place, shape) != self.space.row_major() {
            return Err(Blocked::Keep(value));
        }
        let seed = self.operand(self.load_at(seed, &vec![Axis::still()]));
        // A number of its own, also where another one is equal: kernels of other streams have the same structure then.
        self.numbers.push(Size::constant(i64::from(stream)));
        let stream = self.numbers.len() as u16 - 1;
        Ok(self.program.push(ProgramOp::Uniform { seed, stream }))
    }
}

/// The place of a value whose axes wider than 1 are the first axes of the space, in order.
pub fn aligned(space: &Space, shape: &[Size]) -> Place {
    let mut place = vec![Axis::still(); shape.len()];
    for (axis, wide) in wide_axes(shape).into_iter().enumerate() {
        place[wide] = space.axis(axis);
    }
    place
}
