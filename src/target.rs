//! `--target`: what code is made for.

use tfc_codegen::{Architecture, CpuBackend, CudaBackend, Processor};
use tfc_compiler::executable::Backend;
use tfc_compiler::optimization::Disabled;
use tfc_runtime::{Failure, Result};

pub enum Target {
    Cpu(CpuBackend),
    Cuda(CudaBackend),
}

impl Target {
    /// `cpu`, or `cpu:` and a processor; `cuda`, or `cuda:` and an architecture.
    ///
    /// # Errors
    /// It is none of them.
    pub fn named(name: &str) -> Result<Target> {
        let on_gpu = |architecture| Target::Cuda(CudaBackend::new(architecture));
        let target = match name.split_once(':') {
            None if name == "cpu" => Some(Target::Cpu(CpuBackend::new())),
            None if name == "cuda" => Some(on_gpu(Architecture::BASELINE)),
            Some(("cpu", processor)) => Processor::named(processor).map(CpuBackend::of).map(Target::Cpu),
            Some(("cuda", architecture)) => Architecture::named(architecture).map(on_gpu),
            None | Some(_) => None,
        };
        target.ok_or_else(|| {
            let processors = Processor::NAMES.map(|name| format!("`cpu:{name}`")).join(", ");
            let gpus = Architecture::ALL.map(|gpu| format!("`cuda:{}`", gpu.name)).join(", ");
            let baseline = Architecture::BASELINE.name;
            Failure::mistake(format!(
                "`{name}` is no target; there is `cpu`, which is this machine, {processors}, `cuda`, which is {baseline}, {gpus}"
            ))
        })
    }

    /// The same, its code written without what is switched off.
    pub fn without(self, disabled: &Disabled) -> Target {
        match self {
            Target::Cpu(backend) => Target::Cpu(backend.without(disabled)),
            Target::Cuda(backend) => Target::Cuda(backend),
        }
    }

    pub fn backend(&self) -> &dyn Backend {
        match self {
            Target::Cpu(backend) => backend,
            Target::Cuda(backend) => backend,
        }
    }
}
