//! A loop nest around one matrix product: C[o, m, n] = epilogue(Σₖ prologue_a(A[o, m, k]) · prologue_b(B[o, k, n])).

use super::division::Division;
use super::program::{Program, ProgramOp, Register};
use super::rotary::Rotary;
use crate::precision::Precision;

/// Operands: A, B, then those that the programs load and store; each belongs to one of the three programs. The result goes where the epilogue
/// stores it.
///
/// A prologue belongs to the matrix as it is stored: its operands are addressed by the row and the column of the element in
/// memory, whichever of them is k. So `PerRow` with a transposed A is one number per k, and is consecutive in memory or not as its row
/// stride says.
///
/// Sizes: `outer, m, n, k`, then `outer stride, leading dimension` of A and of B, then for each further operand its
/// strides as [`ContractionAccess`] says, then what [`super::ProgramOp::Size`] reads, then, where heads are turned, the positions T of a sequence. An outer stride of 0 shares a matrix among all.
///
/// Extent, where each thread packs what it reads: `outer · row blocks · ⌈n / column block⌉` blocks of C, columns fastest, where there are ⌈m / ROW_BLOCK⌉ row blocks, or twice as
/// many if A is computed as it is loaded, or two at least if rows are the longer side; `outer · ⌈n / FEW_COLUMNS⌉` where rows are few. Where threads
/// share the panels of B ([`Contraction::shares_b`]), ⌈m / rows of an item⌉ groups of rows, of which the code of a processor knows how many they are, after a preparation of ⌈rows of B as it is stored / PACKED_ROWS⌉ items.
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
    /// Of the only operand that is stored, an f32 matrix of whole heads; `outer` is 1 then.
    pub rotary: Option<Rotary>,
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
    const COLUMN_BLOCK: i64 = 32;
    /// The same where heads are turned: none of them lies in two such blocks as far as it is turned ([`Rotary::fits`]). A GPU's tiles are multiples of it.
    pub const ROTARY_COLUMNS: i64 = 64;
    /// The fewest rows that are worth two blocks.
    pub const HALVED_ROWS: i64 = 96;
    /// The most rows of C for which B is read as it is stored, for packing it would cost more than it gains, and the columns of a work item then.
    pub const FEW_ROWS: i64 = 64;
    pub const FEW_COLUMNS: i64 = 64;

    /// The bare product of two matrices, stored as the third operand: nothing is computed of what is loaded, nor of the sum.
    pub fn product(precision: Precision, transpose_a: bool, transpose_b: bool) -> Contraction {
        let mut epilogue = Program::default();
        let sum = epilogue.push(ProgramOp::Given);
        Contraction {
            precision,
            transpose_a,
            transpose_b,
            few_rows: false,
            prologue_a: None,
            prologue_b: None,
            epilogue,
            stores: vec![(2, sum)],
            access: vec![ContractionAccess::Matrix],
            rotary: None,
        }
    }

    /// The code of a processor counts blocks as this does (`row_blocks` in its loops).
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
                sizes[0] * rows * blocks(n, self.column_block())
            }
        }
    }

    /// Columns of C in one work item, where each thread packs what it reads.
    pub fn column_block(&self) -> i64 {
        if self.rotary.is_some() { Self::ROTARY_COLUMNS } else { Self::COLUMN_BLOCK }
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

    /// The most elements of B whose panels threads share: these stay in the processor's last cache until all have been used. For a B that is larger, each
    /// thread packs what it reads, block by block.
    pub const SHARED: i64 = 4 << 20;
    /// The fewest columns and k of a B that is shared, for panels are padded.
    pub const SHARED_SIDE: i64 = 64;
    /// The fewest rows of C then, and the most columns for each of them: rows alone are divided among threads.
    pub const SHARED_ROWS: i64 = 256;
    pub const COLUMNS_PER_ROW: i64 = 4;
    /// Rows of B, as it is stored, in one item of the preparation: whole panels and whole steps of k on every processor.
    pub const PACKED_ROWS: i64 = 96;
    /// Of a transposed A a few rows are a part of a cache line for each k: fewer than so many rows in all are not cut into small pieces.
    pub const CUT_ROWS: i64 = 1024;

    /// The longest segment of k where a long product is done in several: one pass of a processor that multiplies pairs.
    pub const SEGMENT: i64 = 1536;

    /// Whether a product of so many columns along so many k is done in segments of k so that B is shared. In f32, where panels are twice as large and are
    /// multiplied in twice the time, that gains nothing.
    pub fn has_segments(&self, n: i64, k: i64) -> bool {
        let fits = n >= Self::SHARED_SIDE && n * Self::SEGMENT <= Self::SHARED;
        self.precision == Precision::Bf16 && fits && k > Self::SEGMENT && n * k > Self::SHARED
    }

    /// Whether B is packed once, by all threads together.
    pub fn shares_b(&self, sizes: &[i64]) -> bool {
        let [outer, m, n, k] = [0, 1, 2, 3].map(|i| sizes[i]);
        let fits = n.min(k) >= Self::SHARED_SIDE && n * k <= Self::SHARED;
        outer == 1 && m >= Self::SHARED_ROWS && n <= Self::COLUMNS_PER_ROW * m && fits
    }

    /// The operands that a preparation reads: B, what is computed with it, and single numbers, which every part of a launch reads first of all.
    pub(super) fn prepared_operands(&self) -> Vec<usize> {
        let computed_with = self.prologue_b.iter().flat_map(|(program, _)| program.loads()).map(usize::from);
        let numbers = self.access.iter().enumerate().filter(|(_, access)| **access == ContractionAccess::Scalar);
        [1].into_iter().chain(computed_with).chain(numbers.map(|(i, _)| i + 2)).collect()
    }

    pub(super) fn division(&self, sizes: &[i64], sharing: Option<i64>) -> Division {
        let Some(rows_of_item) = sharing.filter(|_| self.shares_b(sizes)) else {
            return Division { in_pieces: false, ..Division::of(self.extent(sizes)) };
        };
        let [m, stored_rows] = [sizes[1], if self.transpose_b { sizes[2] } else { sizes[3] }];
        let groups = |rows: i64, size: i64| (rows + size - 1) / size;
        Division {
            preparation: groups(stored_rows, Self::PACKED_ROWS),
            items: groups(m, rows_of_item),
            in_pieces: !self.transpose_a || m >= Self::CUT_ROWS,
            rows_of_item: Some(rows_of_item),
        }
    }
}
