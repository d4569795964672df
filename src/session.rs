//! From a model to a session on the device that the user chose.

use crate::arguments::{CompilerArguments, DeviceArguments, DeviceName};
use std::sync::Arc;
use tfc_codegen::{Architecture, CpuBackend, CudaBackend, cuda_sim};
use tfc_compiler::compiled::Compiled;
use tfc_compiler::optimization::Disabled;
use tfc_runtime::code_cache::CodeCache;
use tfc_runtime::device::{CpuSession, CudaSimSession, ReferenceSession, Session};
use tfc_runtime::{Failure, Result};

/// Opens a session; on the CPU the kernels are compiled now, if no earlier run has left their code, and never again.
pub fn open(compiled: &Arc<Compiled>, arguments: &DeviceArguments) -> Result<Box<dyn Session>> {
    match arguments.device {
        DeviceName::Reference => Ok(Box::new(ReferenceSession::new(Arc::clone(compiled)))),
        DeviceName::Cpu => Ok(Box::new(on_cpu(compiled, threads(arguments.threads)?)?)),
        DeviceName::CudaSim => Ok(Box::new(on_cuda_sim(compiled)?)),
    }
}

/// As [`open`], on the CPU.
pub fn on_cpu(compiled: &Arc<Compiled>, threads: usize) -> Result<CpuSession> {
    let backend = CpuBackend::new();
    let code = CodeCache::of_environment().code(&backend, &compiled.program.kernels)?;
    CpuSession::new(Arc::clone(compiled), &code, &backend, threads)
}

/// As [`open`], on the simulated GPU, with the checker on.
pub fn on_cuda_sim(compiled: &Arc<Compiled>) -> Result<CudaSimSession> {
    let backend = CudaBackend::new(Architecture::BASELINE);
    let program = cuda_sim::program(&backend, &compiled.program.kernels, true);
    let program = program.map_err(|e| Failure::mistake(e.to_string()))?;
    CudaSimSession::new(Arc::clone(compiled), program)
}

/// What `--disable` says.
pub fn disabled(arguments: &CompilerArguments) -> Result<Disabled> {
    Disabled::named(&arguments.disable).map_err(Failure::mistake)
}

/// What `--threads` says.
pub fn threads(argument: Option<usize>) -> Result<usize> {
    match argument {
        Some(0) => Err(Failure::mistake("no work gets done by 0 threads; use --threads 1 or more")),
        Some(threads) => Ok(threads),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}
