//! Code for NVIDIA's GPUs, without one: what can be held of it here.

mod assembler;
mod bars;
mod ptx;
mod refused;
#[cfg(target_os = "linux")]
mod runtime;

/// NVIDIA's assembler.
pub fn assembler() -> std::path::PathBuf {
    assembler::Assembler::find().program("ptxas")
}
