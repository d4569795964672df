//! Where the operands of a row program are, along one row.

use crate::kernels::program::evaluate;
use crate::kernels::random;
use crate::kernels::sizes::Sizes;
use crate::math::Accuracy;
use crate::mlir::{Cache, Function, Index, Lanes, Launch, Stored, Vector};
use tfc_compiler::graph::DType;
use tfc_compiler::kernel::{Access, Inner, Kernel, Program, ProgramOp, Register, RowAccess};

/// The dimensions of the iteration and the strides of the operands.
pub struct Iteration<'f> {
    pub outer: Vec<Index<'f>>,
    pub inner: Index<'f>,
    operands: Vec<Operand<'f>>,
    numbers: Vec<Vector<'f>>,
    /// How many elements of rows that lie side by side are asked for before they are read.
    ahead: Option<i64>,
}

struct Operand<'f> {
    elements: Stored<'f>,
    access: Access,
    outer: Vec<Index<'f>>,
    inner: Along<'f>,
}

/// How an operand moves along the row.
#[derive(Clone, Copy)]
enum Along<'f> {
    Unit,
    Row,
    Strided(Index<'f>),
}

/// One row.
pub struct Line<'a, 'f> {
    f: &'f Function<'f>,
    iteration: &'a Iteration<'f>,
    outer: Vec<Index<'f>>,
    /// The place of the row among all.
    row: Index<'f>,
    /// Where each operand's row begins.
    starts: Vec<Stored<'f>>,
    /// The operands that are one number for all of the row, and stay so: read once, not beside each store.
    numbers: Vec<Option<Vector<'f>>>,
}

/// What the reductions of a row came to, by the register of the reduction.
pub type Reduced<'f> = Vec<(Register, Vector<'f>)>;

impl<'f> Iteration<'f> {
    /// `access` is that of all operands but an output that is addressed otherwise.
    pub fn read(
        launch: Launch<'f>,
        kernel: &Kernel,
        outer_rank: u8,
        access: &[RowAccess],
        program: &Program,
    ) -> Iteration<'f> {
        let sizes = Sizes::new(launch);
        let many = || (0..outer_rank).map(|_| sizes.next()).collect::<Vec<_>>();
        let (outer, inner) = (many(), sizes.next());
        let operand = |(i, access): (usize, &RowAccess)| Operand {
            elements: Stored::operand(launch, kernel, i),
            access: kernel.operands[i].access,
            outer: many(),
            inner: match access.inner {
                Inner::Unit => Along::Unit,
                Inner::Row => Along::Row,
                Inner::Strided => Along::Strided(sizes.next()),
            },
        };
        let operands = access.iter().enumerate().map(operand).collect();
        Iteration { outer, inner, operands, numbers: sizes.numbers(vec![program]), ahead: None }
    }

    pub fn asking_for(self, ahead: Option<i64>) -> Iteration<'f> {
        Iteration { ahead, ..self }
    }

    /// The outer indices of a row.
    pub fn indices(&self, row: Index<'f>) -> Vec<Index<'f>> {
        let mut rest = row;
        let mut indices = Vec::new();
        // The first dimension needs no remainder.
        for (dimension, size) in self.outer.iter().enumerate().rev() {
            indices.push(if dimension == 0 { rest } else { rest % *size });
            rest = rest / *size;
        }
        indices.reverse();
        indices
    }

    pub fn line(&self, f: &'f Function<'f>, row: Index<'f>, outer: Vec<Index<'f>>) -> Line<'_, 'f> {
        let offset = |operand: &Operand<'f>| {
            outer.iter().zip(&operand.outer).fold(f.index(0), |sum, (index, stride)| sum + *index * *stride)
        };
        let starts: Vec<Stored> = self.operands.iter().map(|operand| operand.elements.at(offset(operand))).collect();
        let number = |(operand, start): (&Operand<'f>, &Stored<'f>)| match (operand.inner, operand.access) {
            (Along::Row, Access::Read) => Some(start.broadcast()),
            (Along::Row, Access::Write | Access::Update) | (Along::Unit | Along::Strided(_), _) => None,
        };
        let numbers = self.operands.iter().zip(&starts).map(number).collect();
        Line { f, iteration: self, outer, row, starts, numbers }
    }
}

impl<'f> Line<'_, 'f> {
    /// Registers of the program at a column.
    pub fn evaluate(
        &self,
        program: &Program,
        wanted: &[Register],
        column: Index<'f>,
        lanes: Lanes<'f>,
        reduced: &Reduced<'f>,
    ) -> Vec<Vector<'f>> {
        evaluate(self.f, Accuracy::F32, program, wanted, &mut |register, op| match op {
            ProgramOp::Load(operand) => self.load(*operand as usize, column, lanes),
            ProgramOp::Size(i) => self.iteration.numbers[*i as usize],
            ProgramOp::InnerIndex => column.counting().to_float(),
            ProgramOp::OuterIndex(dimension) => self.outer[*dimension as usize].to_float().splat(),
            ProgramOp::Uniform { seed, stream } => {
                let seed = self.iteration.operands[*seed as usize].elements.pointer;
                let stream = self.iteration.numbers[*stream as usize];
                random::uniform(seed, stream, self.row * self.iteration.inner + column)
            }
            ProgramOp::Reduce(..) | ProgramOp::KthLargest(..) => {
                reduced.iter().find(|(r, _)| *r == register).expect("reductions of an earlier pass").1
            }
            ProgramOp::Constant(_)
            | ProgramOp::Unary(..)
            | ProgramOp::Binary(..)
            | ProgramOp::Select(..)
            | ProgramOp::Given => {
                unreachable!("{op:?} is no leaf of a row program")
            }
        })
    }

    fn load(&self, operand: usize, column: Index<'f>, lanes: Lanes<'f>) -> Vector<'f> {
        let (whole, inner) = (self.starts[operand], self.iteration.operands[operand].inner);
        let Stored { pointer: start, dtype } = whole;
        if let Some(number) = self.numbers[operand] {
            return number;
        }
        match (inner, dtype) {
            (Along::Row, _) => whole.broadcast(),
            (Along::Unit, _) => {
                if let Some(ahead) = self.iteration.ahead {
                    let width = self.f.vectors().width as i64;
                    whole.at(column + ahead).prefetch(width, Cache::First, false);
                }
                whole.load_lanes(column, lanes)
            }
            (Along::Strided(stride), DType::F32) => start.at(column * stride).gather(stride, lanes),
            (Along::Strided(stride), DType::I32) => start.at(column * stride).gather_ints(stride, lanes).to_float(),
            (_, DType::BF16) => unreachable!("bf16 lie side by side: see `check`"),
        }
    }

    pub fn store(&self, operand: usize, column: Index<'f>, lanes: Lanes<'f>, value: Vector<'f>) {
        let (whole, inner) = (self.starts[operand], self.iteration.operands[operand].inner);
        let Stored { pointer: start, dtype } = whole;
        match (inner, dtype) {
            (Along::Unit, _) => whole.store_lanes(column, value, lanes),
            (Along::Row, DType::F32) => start.store(self.f.index(0), value.first()),
            (Along::Row, DType::I32) => start.store_int(self.f.index(0), value.first().truncate()),
            (Along::Strided(stride), DType::F32) => start.at(column * stride).scatter(stride, value, lanes),
            (Along::Strided(stride), DType::I32) => {
                start.at(column * stride).scatter_ints(stride, value.truncate(), lanes)
            }
            (_, DType::BF16) => unreachable!("bf16 lie side by side: see `check`"),
        }
    }

    /// Whether an operand is one number per row.
    pub fn is_row(&self, operand: usize) -> bool {
        matches!(self.iteration.operands[operand].inner, Along::Row)
    }
}
