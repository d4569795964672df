//! A matrix product with programs on what is loaded and what is stored.
//!
//! The programs cost a pass over data that is in the first cache anyway: prologues run as a block is packed, the epilogue as a tile leaves the
//! registers. The hot loops are helpers, one copy a module (see [`crate::gemm`]); what is emitted here for each kernel is small.

mod epilogue;
mod nest;
mod operand;
mod pack;

pub use nest::{emit, scratch_elements};

#[cfg(test)]
mod tests;
