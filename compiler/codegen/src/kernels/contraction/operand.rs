//! What a contraction reads beside its matrices, and the matrices as they are stored.

use crate::gemm::Rows;
use crate::kernels::rotary::Turning;
use crate::kernels::sizes::Sizes;
use crate::math::Accuracy;
use crate::mlir::{Function, Index, Lanes, Launch, Pointer, Stored, Vector};
use tfc_compiler::kernel::{Contraction, ContractionAccess, Kernel, ProgramOp};

/// A or B.
#[derive(Clone, Copy)]
pub struct Matrix<'f> {
    pub elements: Stored<'f>,
    pub outer: Index<'f>,
    pub leading: Index<'f>,
}

/// An operand of a program.
#[derive(Clone, Copy)]
pub struct Operand<'f> {
    pub elements: Stored<'f>,
    at: At<'f>,
}

#[derive(Clone, Copy)]
enum At<'f> {
    Matrix { outer: Index<'f>, row: Index<'f> },
    PerRow { outer: Index<'f>, row: Index<'f> },
    PerColumn,
    Scalar(Vector<'f>),
}

/// Where a program is evaluated: a register of columns in a row of one of the matrices.
#[derive(Clone, Copy)]
pub struct Place<'f> {
    pub outer: Index<'f>,
    pub row: Index<'f>,
    pub column: Index<'f>,
    pub lanes: Lanes<'f>,
}

/// All that is read at the start of the kernel.
pub struct Arguments<'f> {
    pub m: Index<'f>,
    pub n: Index<'f>,
    pub k: Index<'f>,
    pub a: Matrix<'f>,
    pub b: Matrix<'f>,
    /// Memory that all threads share, or null.
    pub shared: Pointer<'f>,
    /// Of what is computed on the way to and from the product.
    pub accuracy: Accuracy,
    operands: Vec<Operand<'f>>,
    numbers: Vec<Vector<'f>>,
    turning: Option<Turning<'f>>,
}

impl<'f> Arguments<'f> {
    pub fn read(launch: Launch<'f>, kernel: &Kernel, body: &Contraction) -> Arguments<'f> {
        let sizes = Sizes::new(launch);
        let [_, m, n, k] = [0; 4].map(|_| sizes.next());
        let [a, b] = [0, 1].map(|i| Matrix {
            elements: Stored::operand(launch, kernel, i),
            outer: sizes.next(),
            leading: sizes.next(),
        });
        let operand = |(i, access): (usize, &ContractionAccess)| {
            let elements = Stored::operand(launch, kernel, i + 2);
            let at = match access {
                ContractionAccess::Matrix => At::Matrix { outer: sizes.next(), row: sizes.next() },
                ContractionAccess::PerRow => At::PerRow { outer: sizes.next(), row: sizes.next() },
                ContractionAccess::PerColumn => At::PerColumn,
                ContractionAccess::Scalar => At::Scalar(elements.broadcast()),
            };
            Operand { elements, at }
        };
        let operands = body.access.iter().enumerate().map(operand).collect();
        let numbers = sizes.numbers(body.programs());
        let tables = 2 + body.access.len();
        let turning = body.rotary.as_ref().map(|rotary| Turning::read(launch, tables, rotary, sizes.next()));
        let shared = launch.buffers.load_pointer(kernel.operands.len() as i64);
        Arguments { m, n, k, a, b, shared, accuracy: body.precision.into(), operands, numbers, turning }
    }

    /// What an operation of a program reads at a place.
    pub fn leaf(&self, op: &ProgramOp, given: Vector<'f>, place: Place<'f>) -> Vector<'f> {
        match op {
            ProgramOp::Load(operand) => self.operand(*operand).load(place),
            ProgramOp::Size(i) => self.numbers[*i as usize],
            ProgramOp::InnerIndex => place.column.counting().to_float(),
            ProgramOp::Given => given,
            ProgramOp::Uniform { seed, stream } => {
                let element = (place.outer * self.m + place.row) * self.n + place.column;
                let (seed, stream) = (self.operand(*seed).elements.pointer, self.numbers[*stream as usize]);
                crate::kernels::random::uniform(seed, stream, element)
            }
            ProgramOp::Constant(_)
            | ProgramOp::Unary(..)
            | ProgramOp::Binary(..)
            | ProgramOp::Select(..)
            | ProgramOp::OuterIndex(_)
            | ProgramOp::Reduce(..)
            | ProgramOp::KthLargest(..) => unreachable!("{op:?} is no leaf of a contraction: see `check`"),
        }
    }

    /// Turns what has been stored of rows and columns `[begin, end)`, whole blocks of [`Contraction::ROTARY_COLUMNS`].
    pub fn turn(&self, f: &'f Function<'f>, body: &Contraction, rows: [Index<'f>; 2], columns: [Index<'f>; 2]) {
        let Some(turning) = &self.turning else { return };
        let stored = self.operand(body.stores[0].0);
        f.each(rows[0], rows[1], 1, |row| {
            let first = Place { outer: f.index(0), row, column: f.index(0), lanes: Lanes::All };
            turning.columns(f, stored.row(first).pointer, row, columns);
        });
    }

    pub fn operand(&self, operand: u16) -> &Operand<'f> {
        &self.operands[operand as usize - 2]
    }
}

impl<'f> Operand<'f> {
    fn load(&self, place: Place<'f>) -> Vector<'f> {
        match self.at {
            At::Matrix { .. } | At::PerColumn => self.row(place).load_lanes(place.column, place.lanes),
            At::PerRow { .. } => self.row(place).broadcast(),
            At::Scalar(value) => value,
        }
    }

    /// The rows from a place on, in words of four bytes, if each place has a number of its own.
    pub fn rows(&self, place: Place<'f>) -> Option<Rows<'f>> {
        let first = self.row(place).at(place.column);
        match self.at {
            At::Matrix { row, .. } => Some(Rows { pointer: first.pointer, stride: first.words(row) }),
            At::PerRow { .. } | At::PerColumn | At::Scalar(_) => None,
        }
    }

    /// Where the row of a place begins.
    pub fn row(&self, place: Place<'f>) -> Stored<'f> {
        match self.at {
            At::Matrix { outer, row } | At::PerRow { outer, row } => {
                self.elements.at(place.outer * outer + place.row * row)
            }
            At::PerColumn | At::Scalar(_) => self.elements,
        }
    }
}
