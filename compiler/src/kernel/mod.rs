//! Kernels: what the fuser makes of a graph and what a back end makes code of.
//!
//! A kernel is structure only: sizes and strides are its arguments, so kernels that do the same work on tensors of other sizes are
//! equal ([`Kernel`] is its own key for deduplication), a 48-layer model has no more of them than a 12-layer one, and growth compiles nothing.
//!
//! There are few bodies. A [`Contraction`] is a loop nest around one matrix product, with a scalar program on each loaded
//! operand and on the result. A [`RowProgram`] walks rows, with scalar operations and reductions along the row, as many passes as
//! the reductions need. A [`ColumnReduction`] adds over rows. [`Attention`] is tiled with an online softmax. The rest move rows.
//!
//! Launch ABI, the same for all: `(buffers: *const *mut u8, sizes: *const i64, begin: i64, end: i64, scratch: *mut u8)`. Buffers
//! stand in the order of [`Kernel::operands`], behind them memory that all threads share, or null; sizes in the order that each body documents;
//! `[begin, end)` is the part of the work items ([`Division`]) that this call does. Results do not depend on how the items are divided: every output
//! element is computed by one item, in a fixed order.

mod attention;
mod contraction;
mod division;
mod evaluate;
mod moving;
mod program;
mod rotary;
mod rows;
mod sizes;
#[cfg(test)]
mod tests;
mod text;
mod verify;

pub use attention::{Attention, AttentionBackward, CachedAttention};
pub use contraction::{Contraction, ContractionAccess};
pub use division::Division;
pub use evaluate::{evaluate, evaluate_buffers, evaluate_rows};
pub use moving::{CacheWrite, Gather, Rope, ScatterAdd};
pub use program::{Number, Program, ProgramOp, Register};
pub use rotary::Rotary;
pub use rows::{ColumnReduction, Inner, RowAccess, RowProgram};
pub use sizes::{ContractionSizes, Loader, RowSizes, Strides};

use crate::graph::DType;

/// How a kernel uses a buffer. Everything is f32 or i32, but for what products and lookups read as bf16; a buffer starts at the operand's first element. Operands that are written do
/// not overlap any other; what is read and written at the same place is one operand, an `Update`. No stride is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Access {
    Read,
    Write,
    /// Read and written in place at the same element.
    Update,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Operand {
    pub dtype: DType,
    pub access: Access,
}

impl Operand {
    pub const READ: Operand = Operand { dtype: DType::F32, access: Access::Read };
    pub const READ_I32: Operand = Operand { dtype: DType::I32, access: Access::Read };
    pub const READ_BF16: Operand = Operand { dtype: DType::BF16, access: Access::Read };
    pub const WRITE: Operand = Operand { dtype: DType::F32, access: Access::Write };
    pub const UPDATE: Operand = Operand { dtype: DType::F32, access: Access::Update };
}

/// One kernel: its code is the same wherever it is equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    pub body: Body,
    pub operands: Vec<Operand>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    Contraction(Contraction),
    Rows(RowProgram),
    Columns(ColumnReduction),
    Gather(Gather),
    ScatterAdd(ScatterAdd),
    Rope(Rope),
    CacheWrite(CacheWrite),
    Attention(Attention),
    AttentionBackward(AttentionBackward),
    CachedAttention(CachedAttention),
}

impl Kernel {
    /// Whether a rotary embedding has no output but its operand.
    pub fn turns_in_place(&self) -> bool {
        self.operands.first().is_some_and(|x| x.access == Access::Update)
    }

    /// The number of work items for these sizes, where threads share no memory but the operands.
    pub fn extent(&self, sizes: &[i64]) -> i64 {
        match &self.body {
            Body::Contraction(body) => body.extent(sizes),
            Body::Rows(body) => body.extent(sizes),
            Body::Columns(body) => body.extent(sizes),
            Body::Gather(body) => body.extent(sizes),
            Body::ScatterAdd(body) => body.extent(sizes),
            Body::Rope(body) => body.extent(sizes),
            Body::CacheWrite(body) => body.extent(sizes),
            Body::Attention(body) => body.extent(sizes),
            Body::AttentionBackward(body) => body.extent(sizes),
            Body::CachedAttention(body) => body.extent(sizes),
        }
    }
}
