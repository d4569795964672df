//! Code for NVIDIA's GPUs, without one: what can be held of it here.

mod assembler;
mod bars;
mod demands;
mod kernels;
mod ledger;
mod ptx;
mod refused;
#[cfg(target_os = "linux")]
mod runtime;
mod sass;
mod side_by_side;
mod verdict;

/// NVIDIA's assembler.
pub fn assembler() -> std::path::PathBuf {
    assembler::Assembler::find().program("ptxas")
}
