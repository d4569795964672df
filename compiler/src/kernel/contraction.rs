//! A loop nest around one matrix product: C[o, m, n] = epilogue(Σₖ prologue_a(A[o, m, k]) · prologue_b(B[o, k, n])).

use super::program::{Program, Register};
use crate::precision::Precision;

/// Operands: A, B, then those that the programs load and store; each belongs to one of the three programs. The result goes where the epilogue
/// stores it.
///
/// A prologue belongs to the matrix as it is stored: its operands are addressed by the row and the column of the element in
/// memory, whichever of them is k. So `PerRow` with a transposed A is one number per k, and is consecutive in memory or not as its row
/// stride says.
///
/// Sizes: `outer, m, n, k`, then `outer stride, leading dimension` of A and of B, then for each further operand its
/// strides as [`ContractionAccess`] says, then what [`super::ProgramOp::Size`] reads. An outer stride of 0 shares a matrix among all.
///
/// Extent: `outer · row blocks · ⌈n / COLUMN_BLOCK⌉` blocks of C, columns fastest, where there are ⌈m / ROW_BLOCK⌉ row blocks, or twice as
/// many if A is computed as it is loaded, or two at least if rows are the longer side; `outer · ⌈n / FEW_COLUMNS⌉` where rows are few.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Contraction {
    /// What the two operands are rounded to after their prologues.
    pub precision: Precision,
    /// A is stored as `[k, m]` instead of `[m, k]`.
    pub transpose_a: bool,
    /// B is stored as `[n, k]` instead of `[k, n]`.
    pub transpose_b: bool,
    /// Whether few rows of C are computed on the matrices as they are stored, which [`Contraction::can_have_few_rows`] must allow.
    pub few_rows: bool,
    /// Applied to each element of A as it is loaded; `Given` is the element, as often as A is packed.
    pub prologue_a: Option<(Program, Register)>,
    pub prologue_b: Option<(Program, Register)>,
    /// Applied to each finished element, when all of k has been added; `Given` is the sum. Operands are at row m, column n.
    pub epilogue: Program,
    /// What the epilogue stores: (operand, register), each a [`ContractionAccess::Matrix`]. An operand with `Access::Update` is also
    /// loaded: residuals and accumulation.
    pub stores: Vec<(u16, Register)>,
    /// For each operand from the third on, how it is addressed by the row and column of its program. The seed of a
    /// [`super::ProgramOp::Uniform`] is a `Scalar`.
    pub access: Vec<ContractionAccess>,
}

/// Which strides an operand of a contraction's program has among the sizes, in this order; a missing one is 0.
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
    /// Rows and columns of C in one work item: many rows, for the columns of B are packed once for each item; few columns, for they are what is divided
    /// among threads, evenly also where there are 256 in all. Items that one thread does are done together.
    pub const ROW_BLOCK: i64 = 1056;
    pub const COLUMN_BLOCK: i64 = 32;
    /// The fewest rows that are worth two blocks.
    pub const HALVED_ROWS: i64 = 96;
    /// The most rows of C for which B is read as it is stored, for packing it would cost more than it gains, and the columns of a work item then.
    pub const FEW_ROWS: i64 = 64;
    pub const FEW_COLUMNS: i64 = 64;

    pub fn extent(&self, sizes: &[i64]) -> i64 {
        let blocks = |size: i64, block: i64| (size + block - 1) / block;
        match self.few_rows && sizes[1] <= Self::FEW_ROWS {
            true => sizes[0] * blocks(sizes[2], Self::FEW_COLUMNS),
            false => {
                let [m, n] = [sizes[1], sizes[2]];
                let whole = blocks(m, Self::ROW_BLOCK);
                let rows = match m >= Self::HALVED_ROWS {
                    true if self.halves_rows() => 2 * whole,
                    true if m > n => whole.max(2),
                    _ => whole,
                };
                sizes[0] * rows * blocks(n, Self::COLUMN_BLOCK)
            }
        }
    }

    /// Whether rows are always divided before columns are: threads that share the rows of A would each compute all of them. Else what is
    /// longer is divided, so that each packs all of what is shorter.
    pub fn halves_rows(&self) -> bool {
        self.prologue_a.is_some() && self.prologue_b.is_none()
    }

    /// Whether few rows of C can be computed without packing: A's rows must lie along k, and B must not be computed; where it is rounded, its
    /// rows must lie along k too.
    pub fn can_have_few_rows(&self) -> bool {
        let as_stored = self.transpose_b || self.precision == Precision::F32;
        !self.transpose_a && self.prologue_b.is_none() && as_stored
    }
}
