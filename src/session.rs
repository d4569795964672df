//! From a model to a session on the device that the user chose.

use crate::arguments::{CompilerArguments, DeviceArguments, DeviceName};
use crate::{memory, tuned};
use std::sync::Arc;
use tfc_codegen::{Architecture, CpuBackend, CudaBackend, cuda_sim};
use tfc_compiler::compile::{compile_for_inference, compile_without};
use tfc_compiler::compiled::{Compiled, Entry};
use tfc_compiler::executable::BackendError;
use tfc_compiler::model::Model;
use tfc_compiler::optimization::Disabled;
use tfc_runtime::code_cache::CodeCache;
use tfc_runtime::device::{CpuSession, CudaSession, CudaSimSession, Gpu, Profiled, ReferenceSession, Session};
use tfc_runtime::{Failure, Kind, Result};

/// Compiles entries that train nothing. Only the CPU reads weights in another form than training's, and a GPU leaves out what is of no use there, whoever asks.
pub fn compile(model: Model, entries: &[Entry], device: DeviceName, disabled: &Disabled) -> Compiled {
    match device {
        DeviceName::Cpu => compile_for_inference(model, entries, disabled),
        DeviceName::Cuda(_) | DeviceName::CudaSim => {
            compile_without(model, entries, &disabled.and(&Disabled::of_gpus()))
        }
        DeviceName::Reference => compile_without(model, entries, disabled),
    }
}

/// Where sessions are opened.
pub enum Device {
    Cpu {
        threads: usize,
    },
    Cuda {
        gpu: Gpu,
        /// Whether code is made as `tfc bench --tune` found it to be fastest.
        tuned: bool,
    },
    CudaSim,
    Reference,
}

impl Device {
    /// The one that the user chose.
    ///
    /// # Errors
    /// The machine has none.
    pub fn find(arguments: &DeviceArguments) -> Result<Device> {
        match arguments.device {
            DeviceName::Cpu => Ok(Device::Cpu { threads: threads(arguments.threads)? }),
            DeviceName::Cuda(number) => Ok(Device::Cuda { gpu: Gpu::find(number)?, tuned: !arguments.untuned }),
            DeviceName::CudaSim => Ok(Device::CudaSim),
            DeviceName::Reference => Ok(Device::Reference),
        }
    }

    /// Bytes for tensors, where it is known how many are free.
    pub fn free_memory(&self) -> Result<Option<u64>> {
        match self {
            Device::Cuda { gpu, .. } => gpu.memory().map(|(free, _)| Some(free)),
            Device::Cpu { .. } | Device::CudaSim | Device::Reference => Ok(memory::available()),
        }
    }

    /// As [`Device::open`], a session that says how long each operation takes.
    ///
    /// # Errors
    /// Nothing is timed on this device.
    pub fn open_profiled(&self, compiled: &Arc<Compiled>) -> Result<Box<dyn Profiled>> {
        match self {
            Device::Cpu { threads } => Ok(Box::new(on_cpu(compiled, *threads)?)),
            Device::Cuda { gpu, tuned } => Ok(Box::new(on_cuda(compiled, gpu, &backend(gpu, *tuned, compiled)?)?)),
            Device::CudaSim | Device::Reference => Err(not_timed()),
        }
    }

    /// Whether it is hardware, of which a time says something.
    pub fn is_timed(&self) -> bool {
        match self {
            Device::Cpu { .. } | Device::Cuda { .. } => true,
            Device::CudaSim | Device::Reference => false,
        }
    }

    /// What results were measured on.
    pub fn name(&self) -> String {
        match self {
            Device::Cpu { .. } => "this machine".into(),
            Device::Cuda { gpu, .. } => gpu.to_string(),
            Device::CudaSim => "the simulated GPU".into(),
            Device::Reference => "the reference device".into(),
        }
    }

    /// Opens a session; kernels are compiled now, if no earlier run has left their code, and never again.
    pub fn open(&self, compiled: &Arc<Compiled>) -> Result<Box<dyn Session>> {
        match self {
            Device::Cpu { threads } => Ok(Box::new(on_cpu(compiled, *threads)?)),
            Device::Cuda { gpu, tuned } => Ok(Box::new(on_cuda(compiled, gpu, &backend(gpu, *tuned, compiled)?)?)),
            Device::CudaSim => Ok(Box::new(on_cuda_sim(compiled)?)),
            Device::Reference => Ok(Box::new(ReferenceSession::new(Arc::clone(compiled)))),
        }
    }
}

/// Opens a session on the device that the user chose.
pub fn open(compiled: &Arc<Compiled>, arguments: &DeviceArguments) -> Result<Box<dyn Session>> {
    Device::find(arguments)?.open(compiled)
}

/// As [`open`], on the CPU.
pub fn on_cpu(compiled: &Arc<Compiled>, threads: usize) -> Result<CpuSession> {
    let backend = CpuBackend::new().without(&compiled.disabled);
    let code = CodeCache::of_environment().code(&backend, &compiled.program.kernels)?;
    CpuSession::new(Arc::clone(compiled), &code, &backend, threads)
}

/// Nothing is timed where a program takes the place of hardware.
pub fn not_timed() -> Failure {
    Failure::mistake(
        "how long the simulated GPU or the reference device takes says nothing of any hardware; measure on --device cpu or cuda",
    )
}

/// What makes code for a GPU, as the cost model has it.
///
/// # Errors
/// There is none for it.
pub fn backend_of(gpu: &Gpu) -> Result<CudaBackend> {
    let no_code = || Failure::new(Kind::Machine, format!("there is no code for the GPU {}", gpu.name));
    let architecture = Architecture::newest_for(gpu.capability).ok_or_else(no_code)?;
    Ok(CudaBackend::new(architecture.with_shared_bytes_of_block(gpu.shared_bytes_of_block.into())))
}

/// The same, or as it was found to be fastest.
fn backend(gpu: &Gpu, tuned: bool, compiled: &Compiled) -> Result<CudaBackend> {
    let backend = backend_of(gpu)?;
    Ok(if tuned { tuned::backend(backend, gpu, compiled) } else { backend })
}

/// As [`open`], on a GPU, by a back end for it.
pub fn on_cuda(compiled: &Arc<Compiled>, gpu: &Gpu, backend: &CudaBackend) -> Result<CudaSession> {
    let no_code = |e: BackendError| Failure::new(Kind::Machine, e.to_string());
    let code = CodeCache::of_environment().code(backend, &compiled.program.kernels)?;
    let program = backend.program(&code, &compiled.program.kernels).map_err(no_code)?;
    CudaSession::new(Arc::clone(compiled), gpu, program)
}

/// As [`open`], on the simulated GPU, with the checker on.
pub fn on_cuda_sim(compiled: &Arc<Compiled>) -> Result<CudaSimSession> {
    let backend = CudaBackend::new(Architecture::BASELINE);
    let program = cuda_sim::program(&backend, &compiled.program.kernels, true);
    let program = program.map_err(|e| Failure::mistake(e.to_string()))?;
    CudaSimSession::new(Arc::clone(compiled), program)
}

/// What `--disable` says, and what is of no use on a GPU.
pub fn disabled(arguments: &CompilerArguments, on_gpu: bool) -> Result<Disabled> {
    let named = Disabled::named(&arguments.disable).map_err(Failure::mistake)?;
    Ok(if on_gpu { named.and(&Disabled::of_gpus()) } else { named })
}

/// More than any processor has; beyond thousands systems have no more memory for their stacks.
const THREADS: usize = 1024;

/// What `--threads` says.
pub fn threads(argument: Option<usize>) -> Result<usize> {
    match argument {
        Some(0) => Err(Failure::mistake("no work gets done by 0 threads; use --threads 1 or more")),
        Some(threads) if threads > THREADS => Err(Failure::mistake(format!(
            "no processor has use for {threads} threads; use --threads {THREADS} or fewer"
        ))),
        Some(threads) => Ok(threads),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}
