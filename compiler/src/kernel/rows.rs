//! Kernels without a contraction: a program along each row, and sums over rows.

use super::program::{Program, Register};

/// How an operand moves along the inner dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Inner {
    /// Contiguous.
    Unit,
    /// The same element for the whole row: stride 0. A store is of a register that is the same along the row, and happens once.
    Row,
    /// A stride given among the sizes.
    Strided,
}

/// Where an operand's element is, for outer index (o₀, …) and inner index i: Σ oⱼ · strideⱼ + i · inner stride.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowAccess {
    pub inner: Inner,
}

/// For each row, a program; as many passes along the row as its reductions need, each keeping the row in cache.
///
/// Sizes: the outer dimensions (`outer_rank` of them, slowest first), the inner dimension, then for each operand its outer strides
/// (`outer_rank` of them) and, if `Inner::Strided`, its inner stride; then what [`super::ProgramOp::Size`] reads. Extent: the
/// product of the outer dimensions.
///
/// Stores happen in the last pass, when every reduction is known, so that a load of an updated operand sees the old element in every
/// pass. A store to an i32 operand rounds toward zero. No two places of the iteration store to one element, but by `Inner::Row`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowProgram {
    pub outer_rank: u8,
    pub program: Program,
    /// (operand, register); each operand at most once.
    pub stores: Vec<(u16, Register)>,
    /// One per operand.
    pub access: Vec<RowAccess>,
}

impl RowProgram {
    pub fn extent(&self, sizes: &[i64]) -> i64 {
        sizes[..self.outer_rank as usize].iter().product()
    }
}

/// `out[c] (+)= Σ over rows of program(row, c)`: what a broadcast over leading axes becomes in the backward pass.
///
/// Operands: as in a [`RowProgram`], the last is the output, addressed by the column alone. Rows are added in order. An output with
/// `Access::Update` is added to. No program of a column reduction reduces, and the output is loaded by none. Sizes: outer dimensions, inner
/// dimension (the columns), then for each operand but the output its outer strides and, if strided, its inner stride; then what
/// [`super::ProgramOp::Size`] reads. Extent: ⌈columns / COLUMN_BLOCK⌉.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnReduction {
    pub outer_rank: u8,
    pub program: Program,
    pub value: Register,
    /// One per operand but the output.
    pub access: Vec<RowAccess>,
}

impl ColumnReduction {
    pub const COLUMN_BLOCK: i64 = 64;

    pub fn extent(&self, sizes: &[i64]) -> i64 {
        (sizes[self.outer_rank as usize] + Self::COLUMN_BLOCK - 1) / Self::COLUMN_BLOCK
    }
}
