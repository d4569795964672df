//! GPUs that code is generated for.

use crate::mlir::Multiplicand;
use inkwell::OptimizationLevel;
use inkwell::targets::{CodeModel, InitializationConfig, RelocMode, Target, TargetMachine, TargetTriple};
use tfc_compiler::executable::BackendError;

/// A compute capability; PTX for it runs on it and on later ones. What tiles are chosen by is that of one multiprocessor.
///
/// Sources: NVIDIA's tuning guides for Ampere, Hopper and Blackwell; the throughputs in the CUDA C++ Programming Guide and the A100 whitepaper. Of what
/// Hopper's tensor cores do, mma.sync reaches 62.9 % on average (arXiv 2402.13499): what is counted here is that of Ampere and a fourth. For Blackwell nothing
/// of the kind is published; the same is assumed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Architecture {
    pub name: &'static str,
    /// The version of PTX, as LLVM's feature: the oldest that knows the architecture and all that is emitted.
    ptx: &'static str,
    /// Shared memory, and the most of it that a block can have.
    pub shared_bytes: i64,
    pub shared_bytes_of_block: i64,
    pub registers: i64,
    /// Products of two bf16, each added to a sum, in a cycle; of two tf32 half as many.
    bf16_products: f64,
    /// Multiply-adds of f32 in a cycle.
    pub f32_per_cycle: f64,
    pub shared_bytes_per_cycle: f64,
    /// From the second-level cache, all multiprocessors at once.
    pub memory_bytes_per_cycle: f64,
}

const TRIPLE: &str = "nvptx64-nvidia-cuda";
const KIB: i64 = 1024;

/// What Hopper and Blackwell share.
const HOPPER: Architecture = Architecture {
    name: "",
    ptx: "",
    shared_bytes: 228 * KIB,
    shared_bytes_of_block: 227 * KIB,
    registers: 65_536,
    bf16_products: 1280.0,
    f32_per_cycle: 128.0,
    shared_bytes_per_cycle: 128.0,
    memory_bytes_per_cycle: 32.0,
};

impl Architecture {
    /// Ampere (A100), Hopper (H100), Blackwell (B200).
    pub const ALL: [Architecture; 3] = [
        Architecture {
            name: "sm_80",
            ptx: "+ptx80",
            shared_bytes: 164 * KIB,
            shared_bytes_of_block: 163 * KIB,
            registers: 65_536,
            bf16_products: 1024.0,
            f32_per_cycle: 64.0,
            shared_bytes_per_cycle: 128.0,
            memory_bytes_per_cycle: 32.0,
        },
        Architecture { name: "sm_90", ptx: "+ptx80", ..HOPPER },
        Architecture { name: "sm_100", ptx: "+ptx86", ..HOPPER },
    ];

    /// The one that all others run.
    pub const BASELINE: Architecture = Architecture::ALL[0];

    pub fn named(name: &str) -> Option<Architecture> {
        Architecture::ALL.into_iter().find(|architecture| architecture.name == name)
    }

    /// The newest whose code a GPU of a compute capability runs.
    pub fn newest_for([major, minor]: [i32; 2]) -> Option<Architecture> {
        let number = |architecture: &Architecture| architecture.name.trim_start_matches("sm_").parse::<i32>().ok();
        Architecture::ALL
            .into_iter()
            .rfind(|architecture| number(architecture).is_some_and(|n| n <= 10 * major + minor))
    }

    /// The same on a GPU whose blocks have no more shared memory than it says: 99 KiB on an RTX 30 or 40, which run code of an A100. A multiprocessor has a KiB
    /// more than a block can have.
    pub fn with_shared_bytes_of_block(self, most: i64) -> Architecture {
        let shared_bytes_of_block = self.shared_bytes_of_block.min(most);
        Architecture { shared_bytes_of_block, shared_bytes: self.shared_bytes.min(shared_bytes_of_block + KIB), ..self }
    }

    /// Whether code for this one runs on `other`.
    pub fn is_run_by(self, other: Architecture) -> bool {
        let age = |of: Architecture| Architecture::ALL.iter().position(|architecture| architecture.name == of.name);
        age(self) <= age(other)
    }

    /// Products of two numbers, each added to a sum, in a cycle.
    pub fn products(self, multiplicand: Multiplicand) -> f64 {
        match multiplicand {
            Multiplicand::Bf16 => self.bf16_products,
            Multiplicand::Tf32 => self.bf16_products / 2.0,
        }
    }

    /// What the code generator is told of it.
    pub fn target(self) -> String {
        format!("{TRIPLE} {} {}", self.name, self.ptx)
    }

    /// A code generator. One per thread.
    pub fn machine(self) -> Result<TargetMachine, BackendError> {
        Target::initialize_nvptx(&InitializationConfig::default());
        let triple = TargetTriple::create(TRIPLE);
        let target = Target::from_triple(&triple).map_err(|e| BackendError(format!("this LLVM makes no PTX: {e}")))?;
        let (level, relocation, model) = (OptimizationLevel::Aggressive, RelocMode::Default, CodeModel::Default);
        let machine = target.create_target_machine(&triple, self.name, self.ptx, level, relocation, model);
        machine.ok_or_else(|| BackendError(format!("LLVM has no code generator for {}", self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::Architecture;

    #[test]
    fn a_gpu_gets_the_newest_code_that_it_runs() {
        let name = |capability| Architecture::newest_for(capability).map(|architecture| architecture.name);
        assert_eq!(name([7, 5]), None);
        assert_eq!(name([8, 0]), Some("sm_80"));
        assert_eq!(name([8, 9]), Some("sm_80"));
        assert_eq!(name([9, 0]), Some("sm_90"));
        assert_eq!(name([10, 3]), Some("sm_100"));
        assert_eq!(name([12, 0]), Some("sm_100"));
    }
}
