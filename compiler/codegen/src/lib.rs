//! Kernels to machine code through MLIR and LLVM: the only crate that links them.

mod backend;
mod compile;
mod container;
pub mod cuda;
pub mod cuda_sim;
mod gemm;
mod host;
mod kernels;
mod load;
mod lower;
mod math;
mod mlir;
mod parallel;
mod peak;
mod processor;
#[cfg(test)]
mod testing;
mod tile_permission;
mod vectors;

pub use backend::CpuBackend;
pub use cuda::{Architecture, CudaBackend, Gpu, Resources};
pub use host::Host;
pub use peak::Peak;
pub use processor::Processor;
