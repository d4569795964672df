//! A loop nest around one matrix product: C[o, m, n] = epilogue(Σₖ prologue_a(A[o, m, k]) · prologue_b(B[o, k, n])).

use super::program::{Program, Register};

/// Operands: A, B, then those that the programs load. Where the accumulator goes is a store of the epilogue.
///
/// Sizes: `outer, m, n, k`, then `outer stride, leading dimension` of A and of B, then for each further operand its
/// strides as [`ContractionAccess`] says: `outer, row, column` (only those its access uses, in this order).
///
/// Extent: `outer · ⌈m / ROW_BLOCK⌉ · ⌈n / COLUMN_BLOCK⌉` blocks of C, columns fastest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Contraction {
    /// A is stored as `[k, m]` instead of `[m, k]`.
    pub transpose_a: bool,
    /// B is stored as `[n, k]` instead of `[k, n]`.
    pub transpose_b: bool,
    /// Applied to each element of A as it is loaded; `Given` is the element. Operands are at (m, k): row m, column k.
    pub prologue_a: Option<(Program, Register)>,
    /// Operands are at (n, k): row n, column k, whatever the layout of B.
    pub prologue_b: Option<(Program, Register)>,
    /// Applied to each finished element; `Given` is the sum. Operands are at (m, n).
    pub epilogue: Program,
    /// What is stored: (operand, register). An operand with `Access::Update` may also be loaded by the epilogue: residuals and accumulation.
    pub stores: Vec<(u16, Register)>,
    /// For each operand from the third on, how it is addressed.
    pub access: Vec<ContractionAccess>,
}

/// Which strides an operand of a contraction's program has; a missing one is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ContractionAccess {
    /// [outer, row], column stride 1.
    Matrix,
    /// One number per row: [outer, row].
    PerRow,
    /// One number per column, contiguous: no strides.
    PerColumn,
    /// One number: no strides.
    Scalar,
}

impl Contraction {
    /// Rows and columns of C in one work item. The column block is a multiple of every micro-tile's width.
    pub const ROW_BLOCK: i64 = 576;
    pub const COLUMN_BLOCK: i64 = 384;

    pub fn extent(&self, sizes: &[i64]) -> i64 {
        let blocks = |size: i64, block: i64| (size + block - 1) / block;
        sizes[0] * blocks(sizes[1], Self::ROW_BLOCK) * blocks(sizes[2], Self::COLUMN_BLOCK)
    }
}
