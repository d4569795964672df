//! A typed vocabulary for writing MLIR: what the emitters are written in.
//!
//! A [`Value`] knows the function it is made for, so `x * y + 1.0` on values appends operations to the present block. The kinds of
//! values ([`Scalar`], [`Vector`], [`Mask`], [`Index`], [`Pointer`], …) are Rust types: what MLIR's verifier would refuse mostly does not compile.
//!
//! Memory is raw pointers and element offsets; there are no memrefs and no strides to lower.

mod arithmetic;
mod avx512;
mod bf16;
mod constant;
mod context;
mod control;
mod copies;
mod function;
mod gpu;
mod memory;
mod module;
mod shuffle;
mod stored;
mod tensor_core;
mod tile;
mod value;

pub use context::MlirContext;
pub use control::Carried;
pub use function::{Function, Launch};
pub use gpu::{GpuLaunch, Signature, WARP};
pub use memory::{Cache, Lanes};
pub use module::Emission;
pub use shuffle::transpose;
pub use stored::Stored;
pub use tensor_core::{Fragment, Multiplicand};
pub use tile::{TILE, Tile};
pub use value::{
    Bits, Bool, F32, F32s, Float, Index, Int32, Ints, Mask, Number, Pointer, Scalar, Shared, Value, Vector,
};
