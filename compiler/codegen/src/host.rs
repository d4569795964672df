//! What there is to say of the machine this runs on.

use crate::vectors::Vectors;
use inkwell::targets::TargetMachine;

/// In words.
pub struct Host {
    /// As LLVM names it: `sapphirerapids`.
    pub processor: String,
    /// The vector registers, and tile registers, that kernels are generated for.
    pub vectors: String,
    /// The version of LLVM and MLIR that tfc was built with.
    pub llvm: String,
}

impl Host {
    pub fn detect() -> Host {
        let vectors = Vectors::host();
        let tiles = if vectors.tiles { ", tile registers for bf16" } else { "" };
        Host {
            processor: TargetMachine::get_host_cpu_name().to_string_lossy().into_owned(),
            vectors: format!("{} × f32, micro-tile {} × {}{tiles}", vectors.width, vectors.rows, vectors.columns()),
            llvm: llvm_version(),
        }
    }
}

/// That tfc is linked with: `22.1.0`.
pub fn llvm_version() -> String {
    let (major, minor, patch) = inkwell::support::get_llvm_version();
    format!("{major}.{minor}.{patch}")
}
