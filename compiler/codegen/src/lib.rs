//! Kernels to machine code through MLIR and LLVM: the only crate that links them.

mod compile;
mod host;
mod load;
mod lower;
mod math;
mod mlir;
#[cfg(test)]
mod testing;
mod vectors;
