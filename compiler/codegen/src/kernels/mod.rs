//! One emitter per body of a kernel.

mod contraction;
mod program;
mod random;
mod sizes;

use crate::mlir::Emission;
use crate::vectors::Vectors;
use tfc_compiler::executable::BackendError;
use tfc_compiler::kernel::{Body, Kernel};

/// Whether a kernel is well-formed: what the emitters rely on.
pub fn check(_kernel: &Kernel) -> Result<(), BackendError> {
    Ok(())
}

/// Adds the function of a kernel to a module.
pub fn emit(emission: &Emission, name: &str, kernel: &Kernel) {
    emission.kernel(name, |f, launch| match &kernel.body {
        Body::Contraction(body) => contraction::emit(f, launch, kernel, body),
        _ => todo!(),
    });
}

/// The scratch that each thread must hand to a kernel.
pub fn scratch_bytes(kernel: &Kernel, vectors: Vectors) -> usize {
    match &kernel.body {
        Body::Contraction(_) => contraction::scratch_bytes(vectors),
        _ => 0,
    }
}
