//! Kernels to machine code through MLIR and LLVM: the only crate that links them.
