//! The `cuda` targets: kernels as PTX for NVIDIA's GPUs.
//!
//! The same kernels as on a CPU, another emitter for each body, the same vocabulary for writing MLIR, the same scalar functions. A kernel's function takes its
//! buffers, then its sizes; what else a launch needs is in its [`tfc_compiler::executable::Geometry`]. Threads read and write four numbers at a time where
//! rows are aligned, one otherwise. Nothing is added by atomics: results do not depend on which block runs first.

mod architecture;
mod backend;
mod gpu;
mod intrinsics;
mod kernels;
mod lower;
mod program;
mod rates;
mod resources;
mod tiling;

pub use architecture::Architecture;
pub use backend::{CudaBackend, symbol};
pub use gpu::Gpu;
pub use kernels::contraction::Tile;
pub use rates::Rates;
pub use resources::Resources;
