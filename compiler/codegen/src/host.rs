//! The machine this process runs on, as a target of LLVM.

use crate::vectors::Vectors;
use inkwell::OptimizationLevel;
use inkwell::targets::{CodeModel, InitializationConfig, RelocMode, Target, TargetMachine};
use tfc_compiler::executable::BackendError;

/// A code generator for this machine. One per thread.
pub fn machine() -> Result<TargetMachine, BackendError> {
    Target::initialize_native(&InitializationConfig::default())
        .map_err(|e| BackendError(format!("LLVM does not know this processor: {e}")))?;
    let triple = TargetMachine::get_default_triple();
    let target =
        Target::from_triple(&triple).map_err(|e| BackendError(format!("LLVM does not know this machine: {e}")))?;
    let (cpu, features) = (TargetMachine::get_host_cpu_name(), TargetMachine::get_host_cpu_features());
    let (cpu, features) = (cpu.to_str().unwrap_or_default(), features.to_str().unwrap_or_default());
    target
        .create_target_machine(
            &triple,
            cpu,
            features,
            OptimizationLevel::Aggressive,
            RelocMode::PIC,
            CodeModel::Default,
        )
        .ok_or_else(|| BackendError(format!("LLVM has no code generator for {cpu}")))
}

/// What code made here needs: `x86_64-unknown-linux-gnu/znver5/` and a digest of the processor's features, which decide whether code runs.
pub fn name() -> String {
    let (cpu, features) = (TargetMachine::get_host_cpu_name(), TargetMachine::get_host_cpu_features());
    let digest = features
        .to_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!(
        "{}/{}/{digest:016x}",
        TargetMachine::get_default_triple().as_str().to_string_lossy(),
        cpu.to_string_lossy()
    )
}

/// What there is to say of this machine, in words.
pub struct Host {
    /// As LLVM names it: `sapphirerapids`.
    pub processor: String,
    /// The vector registers that kernels are generated for.
    pub vectors: String,
    /// The version of LLVM and MLIR that tfc was built with.
    pub llvm: String,
}

impl Host {
    pub fn detect() -> Host {
        let vectors = Vectors::host();
        let (major, minor, patch) = inkwell::support::get_llvm_version();
        Host {
            processor: TargetMachine::get_host_cpu_name().to_string_lossy().into_owned(),
            vectors: format!("{} × f32, micro-tile {} × {}", vectors.width, vectors.rows, vectors.columns()),
            llvm: format!("{major}.{minor}.{patch}"),
        }
    }
}
