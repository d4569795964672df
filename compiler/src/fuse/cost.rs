//! What is worth recomputing: the rules by which the fuser decides, in one place.
//!
//! Memory is what is scarce. A core multiplies and adds some fifty numbers in the time in which one comes from memory and another goes there.
//! So a value that is a function of one matrix (and of numbers per row, per column, or one number) is recomputed wherever it is used:
//! reading the matrix costs what reading the value would, and the value is never written. A value made of two matrices is kept, for
//! recomputing it would read both each time.
//!
//! A prologue is evaluated once each time its operand is packed, that is once per block of columns (or rows) of the result, so less
//! may stand there than in an epilogue or a row program, which are evaluated once.

use crate::graph::Op;
use crate::scalar::{Binary, Unary};

/// The most that recomputing an element of a value may cost.
pub const RECOMPUTE_COST: u32 = 96;
/// The most views in a row that are addressing instead of copies: they cost nothing, but each is a step on the way to what is read.
pub const VIEWS: u32 = 64;
/// The most that the prologue of a contraction may cost per element.
pub const PROLOGUE_COST: u32 = 24;
/// The most that an element of what the k-th largest is selected from may cost: a selection walks along its row some twenty times.
pub const SELECTION_COST: u32 = 8;
/// From so many products on, what they load is computed once and written: each would compute it anew as it packs its operand.
pub const MANY_PRODUCTS: usize = 3;
/// The most matrices that an expression may read when it is used but once, and is therefore never recomputed.
pub const EXPRESSION_MATRICES: usize = 6;
/// The most matrices besides its own sum that an epilogue may read.
pub const EPILOGUE_MATRICES: usize = 3;
/// The most operations that an epilogue absorbs.
pub const EPILOGUE_OPERATIONS: usize = 24;
/// The most buffers that a row program touches.
pub const ROW_OPERANDS: usize = 24;

/// What one element of a pointwise result or source costs, in additions.
pub fn cost(op: &Op) -> u32 {
    match op {
        Op::Unary(function) => unary_cost(*function),
        Op::Binary(function) => binary_cost(*function),
        Op::Select | Op::ToFloat | Op::LabelsEqual | Op::OneHot { .. } | Op::Iota { .. } => 1,
        // Ten rounds of Philox.
        Op::Uniform { .. } => 60,
        Op::Load(_) | Op::Constant(_) | Op::SizeOf(_) => 0,
        Op::Broadcast { .. } | Op::Reshape { .. } | Op::Transpose { .. } | Op::Slice { .. } | Op::Concat { .. } => 0,
        Op::Reduce { .. } | Op::MatMul { .. } | Op::ArgMax => 0,
        Op::L2Normalize { .. } | Op::LayerNorm { .. } | Op::RmsNorm { .. } | Op::Softmax => 0,
        Op::TopK { .. } | Op::KthLargest => 0,
        Op::Embed | Op::EmbedBackward { .. } | Op::Rope { .. } | Op::CacheWrite => 0,
        Op::Attention { .. } | Op::AttentionBackward { .. } | Op::CachedAttention { .. } => 0,
        Op::CrossEntropy | Op::CrossEntropyBackward | Op::VocabularyLoss | Op::VocabularyLossBackward => 0,
    }
}

fn unary_cost(function: Unary) -> u32 {
    match function {
        Unary::Negate | Unary::Absolute | Unary::Relu | Unary::Floor => 1,
        Unary::Sqrt | Unary::ReciprocalOrZero => 4,
        Unary::Exp | Unary::Log | Unary::Tanh | Unary::Sigmoid | Unary::Silu | Unary::SiluDerivative => 12,
        Unary::Gelu | Unary::GeluDerivative | Unary::GeluTanh | Unary::GeluTanhDerivative => 20,
    }
}

fn binary_cost(function: Binary) -> u32 {
    match function {
        Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Maximum | Binary::Minimum => 1,
        Binary::Less | Binary::LessOrEqual | Binary::Equal => 1,
        Binary::Divide => 4,
        Binary::Power => 30,
    }
}
