//! Scalar programs: what a kernel computes per element, in SSA form.

use super::rows::Inner;
use crate::graph::Reduction;
use crate::scalar::{Binary, Unary};

/// The result of one operation of a program, printed as `$2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Register(pub u16);

/// f64 constants are compared by bits, so that programs can be compared and hashed.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub f64);

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Number {}

impl std::hash::Hash for Number {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProgramOp {
    /// The element of a kernel operand at the present place of the iteration (operand index); i32 is converted to f32. A load of an
    /// operand that is updated sees what stood there before the kernel.
    Load(u16),
    Constant(Number),
    /// One of the sizes that follow those that the body documents, as a number: what a mean divides by. The numbers after those
    /// sizes are handed over by a launch, so that kernels which differ in them alone are one.
    Size(u16),
    Unary(Unary, Register),
    Binary(Binary, Register, Register),
    /// (condition, a, b)
    Select(Register, Register, Register),
    /// The present index along the inner dimension as f32: the column of a row program, the stored column in a prologue, n in an
    /// epilogue.
    InnerIndex,
    /// The present index along one of the outer dimensions of a row program or column reduction, as f32.
    OuterIndex(u8),
    /// What the loop nest hands to the program: the loaded element in a prologue, the contraction's sum in an epilogue.
    Given,
    /// Over the whole row of the iteration; only in a [`super::RowProgram`]. Everything that depends on it is computed in a
    /// later pass over the row.
    Reduce(Reduction, Register),
    /// (x, k): the smallest number of the whole row that fewer than k others exceed, as `Op::KthLargest`; k is the same along the row. As
    /// [`ProgramOp::Reduce`] in all else.
    KthLargest(Register, Register),
    /// Uniform in [0, 1) from (operand: i32 seed `[2]`, stream, element index): see `Op::Uniform` and `random::uniform`. The
    /// element index counts the places of the iteration in row-major order: (outer …, inner), or (outer, m, n) in an epilogue. Not
    /// in a prologue. The seed is addressed by nothing, its two numbers are read where the argument points. The stream is a number
    /// as of [`ProgramOp::Size`], exact below 2²⁴.
    Uniform {
        seed: u16,
        stream: u16,
    },
}

impl ProgramOp {
    /// The registers it reads.
    pub fn operands(&self) -> Vec<Register> {
        match *self {
            ProgramOp::Load(_) | ProgramOp::Constant(_) | ProgramOp::Size(_) => Vec::new(),
            ProgramOp::InnerIndex | ProgramOp::OuterIndex(_) | ProgramOp::Given => Vec::new(),
            ProgramOp::Uniform { .. } => Vec::new(),
            ProgramOp::Unary(_, x) | ProgramOp::Reduce(_, x) => vec![x],
            ProgramOp::Binary(_, a, b) | ProgramOp::KthLargest(a, b) => vec![a, b],
            ProgramOp::Select(c, a, b) => vec![c, a, b],
        }
    }
}

/// Operations whose registers look back only; register i is the result of `ops[i]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Program {
    pub ops: Vec<ProgramOp>,
}

impl Program {
    /// Appends an operation, or finds the equal one that is there.
    pub fn push(&mut self, op: ProgramOp) -> Register {
        let index = self.ops.iter().position(|o| *o == op).unwrap_or_else(|| {
            self.ops.push(op);
            self.ops.len() - 1
        });
        Register(index as u16)
    }

    pub fn constant(&mut self, value: f64) -> Register {
        self.push(ProgramOp::Constant(Number(value)))
    }

    /// The operands it loads elements of, ascending.
    pub fn loads(&self) -> Vec<u16> {
        let load = |op: &ProgramOp| if let ProgramOp::Load(operand) = op { Some(*operand) } else { None };
        let mut loads: Vec<u16> = self.ops.iter().filter_map(load).collect();
        loads.sort();
        loads
    }

    /// For each register of a row program, whether it is the same along the row; `access` says how an operand moves.
    pub fn uniform_along_row(&self, access: impl Fn(usize) -> Option<Inner>) -> Vec<bool> {
        let mut uniform: Vec<bool> = Vec::new();
        for op in &self.ops {
            uniform.push(match op {
                ProgramOp::Load(operand) => access(*operand as usize) == Some(Inner::Row),
                ProgramOp::Constant(_) | ProgramOp::Size(_) | ProgramOp::OuterIndex(_) => true,
                ProgramOp::Reduce(..) | ProgramOp::KthLargest(..) => true,
                ProgramOp::InnerIndex | ProgramOp::Given | ProgramOp::Uniform { .. } => false,
                ProgramOp::Unary(..) | ProgramOp::Binary(..) | ProgramOp::Select(..) => {
                    op.operands().iter().all(|register| uniform.get(register.0 as usize) == Some(&true))
                }
            });
        }
        uniform
    }

    /// Whether it takes a row as a whole.
    pub fn reduces(&self) -> bool {
        self.ops.iter().any(|op| matches!(op, ProgramOp::Reduce(..) | ProgramOp::KthLargest(..)))
    }

    /// How many sizes the program reads as numbers: one more than the largest index.
    pub fn size_arguments(&self) -> usize {
        let index = |op: &ProgramOp| match op {
            ProgramOp::Size(i) | ProgramOp::Uniform { stream: i, .. } => *i as usize + 1,
            ProgramOp::Load(_) | ProgramOp::Constant(_) | ProgramOp::InnerIndex | ProgramOp::OuterIndex(_) => 0,
            ProgramOp::Given | ProgramOp::Unary(..) | ProgramOp::Binary(..) | ProgramOp::Select(..) => 0,
            ProgramOp::Reduce(..) | ProgramOp::KthLargest(..) => 0,
        };
        self.ops.iter().map(index).max().unwrap_or(0)
    }
}
