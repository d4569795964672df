//! The `cpu` target: machine code for the processor that this runs on, or for another.

use crate::compile::Compiler;
use crate::container;
use crate::kernels;
use crate::load::LoadedObjects;
use crate::mlir::Emission;
use crate::parallel::in_parts;
use crate::processor::Processor;
use std::sync::atomic::{AtomicUsize, Ordering};
use tfc_compiler::executable::{Backend, BackendError, Code, EmitStage, Function, Loaded};
use tfc_compiler::kernel::Kernel;
use tfc_compiler::optimization::Disabled;

/// Threads that compile. Each makes a module of its own, with its own copy of the helpers, so more of them gain less and less.
const THREADS: usize = 4;

pub struct CpuBackend {
    processor: Processor,
    compiled: AtomicUsize,
}

impl CpuBackend {
    pub fn new() -> CpuBackend {
        CpuBackend::of(Processor::host())
    }

    pub fn of(processor: Processor) -> CpuBackend {
        CpuBackend { processor, compiled: AtomicUsize::new(0) }
    }

    /// The same, writing code without what is switched off.
    pub fn without(self, disabled: &Disabled) -> CpuBackend {
        CpuBackend { processor: self.processor.without(disabled), ..self }
    }

    /// How many kernels this back end has compiled so far.
    pub fn compiled(&self) -> usize {
        self.compiled.load(Ordering::Relaxed)
    }

    /// The object file of every `parts`-th kernel, from the `part`-th on.
    fn object(&self, kernels: &[Kernel], part: usize, parts: usize) -> Result<Vec<u8>, BackendError> {
        let share: Vec<usize> = (part..kernels.len()).step_by(parts).collect();
        Compiler::new(&self.processor)?.object(|emission| emit(emission, kernels, &share))
    }
}

impl Default for CpuBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for CpuBackend {
    fn target(&self) -> String {
        self.processor.target()
    }

    fn emit(&self, kernels: &[Kernel]) -> Result<Code, BackendError> {
        kernels.iter().try_for_each(kernels::check)?;
        let objects = in_parts(kernels.len(), THREADS, |part, parts| self.object(kernels, part, parts))?;
        self.compiled.fetch_add(kernels.len(), Ordering::Relaxed);
        let function = |(i, kernel)| Function {
            symbol: symbol(i),
            scratch: kernels::scratch(kernel, self.processor.vectors),
            scratch_of_sharing: kernels::scratch_of_sharing(kernel, self.processor.vectors),
            shared: kernels::shared(kernel, self.processor.vectors),
            rows_of_item: kernels::rows_of_item(kernel, self.processor.vectors),
        };
        Ok(Code {
            target: self.target(),
            bytes: container::pack(&objects),
            functions: kernels.iter().enumerate().map(function).collect(),
        })
    }

    fn text(&self, kernels: &[Kernel], stage: EmitStage) -> Result<String, BackendError> {
        kernels.iter().try_for_each(kernels::check)?;
        let all: Vec<usize> = (0..kernels.len()).collect();
        Compiler::new(&self.processor)?.text(stage, |emission| emit(emission, kernels, &all))
    }

    fn load(&self, code: &Code) -> Result<Loaded, BackendError> {
        if code.target != self.target() {
            return Err(BackendError(format!(
                "this code was made for {}, this machine is {}: compile it again here",
                code.target,
                self.target()
            )));
        }
        if !self.processor.runs_here() {
            return Err(BackendError(format!("this machine does not run code for {}", code.target)));
        }
        let objects = container::unpack(&code.bytes)
            .ok_or_else(|| BackendError("the executable is damaged: compile it again".into()))?;
        let loaded = LoadedObjects::new(&objects)?;
        let addresses = code.functions.iter().map(|f| loaded.address(&f.symbol)).collect::<Result<_, _>>()?;
        Ok(Loaded { addresses, owner: Box::new(loaded) })
    }
}

fn symbol(kernel: usize) -> String {
    format!("kernel_{kernel}")
}

fn emit(emission: &Emission, kernels: &[Kernel], share: &[usize]) {
    share.iter().for_each(|i| kernels::emit(emission, &symbol(*i), &kernels[*i]));
}

#[cfg(test)]
mod tests;
