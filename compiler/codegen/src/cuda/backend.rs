//! From kernels to PTX.

use super::architecture::Architecture;
use super::kernels;
use super::lower::Compiler;
use super::resources::Resources;
use crate::container;
use crate::parallel::in_parts;
use tfc_compiler::executable::{Backend, BackendError, Code, EmitStage, Function, Geometry, Loaded};
use tfc_compiler::kernel::Kernel;

/// Threads that compile, each a share of the kernels.
const THREADS: usize = 8;

pub struct CudaBackend {
    architecture: Architecture,
}

impl CudaBackend {
    pub fn new(architecture: Architecture) -> CudaBackend {
        CudaBackend { architecture }
    }

    /// How a kernel is launched.
    ///
    /// # Errors
    /// There is no code for its body yet.
    pub fn geometry(&self, kernel: &Kernel) -> Result<Geometry, BackendError> {
        kernels::geometry(self.architecture, kernel)
    }

    /// PTX, a module for each thread that compiled; the function of a kernel has its [`symbol`].
    ///
    /// # Errors
    /// A kernel is not well-formed, or there is no code for it.
    pub fn modules(&self, kernels: &[Kernel]) -> Result<Vec<String>, BackendError> {
        kernels.iter().try_for_each(|kernel| kernels::check(self.architecture, kernel))?;
        in_parts(kernels.len(), THREADS, |part, parts| self.share(kernels, EmitStage::Ptx, part, parts))
    }

    /// What a kernel is expected to take of a multiprocessor.
    ///
    /// # Errors
    /// As [`CudaBackend::geometry`].
    pub fn resources(&self, kernel: &Kernel) -> Result<Resources, BackendError> {
        self.geometry(kernel)?;
        Ok(kernels::resources(self.architecture, kernel))
    }

    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The text of every `parts`-th kernel, from the `part`-th on.
    fn share(&self, kernels: &[Kernel], stage: EmitStage, part: usize, parts: usize) -> Result<String, BackendError> {
        Compiler::new(self.architecture)?.text(stage, |emission| {
            (part..kernels.len())
                .step_by(parts)
                .for_each(|i| kernels::emit(self.architecture, emission, &symbol(i), &kernels[i]));
        })
    }
}

impl Backend for CudaBackend {
    fn target(&self) -> String {
        format!("cuda:{}", self.architecture.name)
    }

    /// PTX modules, as [`CudaBackend::modules`] makes them.
    fn emit(&self, kernels: &[Kernel]) -> Result<Code, BackendError> {
        let modules: Vec<Vec<u8>> = self.modules(kernels)?.into_iter().map(String::into_bytes).collect();
        let function = |i| Function { symbol: symbol(i), scratch_bytes: 0 };
        Ok(Code {
            target: self.target(),
            bytes: container::pack(&modules),
            functions: (0..kernels.len()).map(function).collect(),
        })
    }

    fn text(&self, kernels: &[Kernel], stage: EmitStage) -> Result<String, BackendError> {
        kernels.iter().try_for_each(|kernel| kernels::check(self.architecture, kernel))?;
        self.share(kernels, stage, 0, 1)
    }

    fn load(&self, code: &Code) -> Result<Loaded, BackendError> {
        Err(BackendError(format!(
            "code for {} is launched by a driver, it is not loaded into this process",
            code.target
        )))
    }
}

/// The name of a kernel's function.
pub fn symbol(kernel: usize) -> String {
    format!("kernel_{kernel}")
}
