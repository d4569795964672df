//! `tfc explain --target cuda`: what a GPU would do, without one. What each kernel takes of a multiprocessor, what it computes and moves, and the time that the
//! GPU's limits leave it; then what the training of each stage comes to.

mod calls;
mod report;
mod roofline;
mod training;

use crate::arguments::{DeviceName, Explain, Format};
use crate::assembler::{Assembler, Usage};
use crate::console::Console;
use crate::session;
use crate::stop::{Outcome, Stop};
use crate::workload::Workload;
use calls::calls;
use roofline::{Line, Roofline};
use std::collections::BTreeMap;
use std::time::Instant;
use tfc_codegen::cuda::symbol;
use tfc_codegen::{CudaBackend, Gpu, Resources};
use tfc_compiler::compile::compile_without;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::kernel::Kernel;
use tfc_compiler::optimization::Disabled;
use tfc_runtime::{Failure, Kind, Result};
use training::StageLine;

/// All that is reported.
pub struct Prediction {
    pub gpu: Gpu,
    pub target: &'static str,
    /// By kernel, what takes longest first; None is what only zeroes.
    pub lines: Vec<(Option<u32>, Line)>,
    pub kernels: Vec<KernelFacts>,
    /// Whether registers are as NVIDIA's assembler counts them; otherwise as the cost model expects.
    pub assembled: bool,
    /// From kernels to PTX.
    pub compile_seconds: f64,
    /// What one repetition moves if each operation of the graph is a kernel of its own.
    pub unfused_bytes: f64,
    /// Of a training.
    pub stages: Vec<StageLine>,
}

/// A kernel, whatever its launches.
pub struct KernelFacts {
    pub text: String,
    pub reasons: Vec<String>,
    pub resources: Resources,
    pub blocks: i64,
    pub occupancy: f64,
    /// Bytes; 0 where nothing was assembled.
    pub spilled: i64,
}

pub fn run(command: &Explain, backend: &CudaBackend, console: &Console) -> Outcome {
    let gpu = gpu(command, backend)?;
    let workload = Workload::compile(&command.work, DeviceName::Cuda(0), Some(gpu.memory_bytes), console)?;
    let start = Instant::now();
    let modules = backend.modules(&workload.compiled.program.kernels).map_err(machine)?;
    let compile_seconds = start.elapsed().as_secs_f64();
    let prediction = predict(command, backend, gpu, &workload, &modules, compile_seconds)?;
    let text = match command.format {
        Format::Text => report::text(&prediction),
        Format::Json => format!("{:#}\n", report::json(&prediction)),
    };
    Ok(console.print(&text)?)
}

/// The one that is named, or the first of the architecture.
fn gpu(command: &Explain, backend: &CudaBackend) -> Result<Gpu> {
    let architecture = backend.architecture();
    let Some(name) = &command.device_name else { return Ok(Gpu::of(architecture)) };
    let gpu = Gpu::named(name).ok_or_else(|| {
        let names = Gpu::ALL.map(|gpu| gpu.name).join(", ");
        Failure::mistake(format!("there is no GPU `{name}` in the table; it has {names}"))
    })?;
    match architecture.is_run_by(gpu.architecture) {
        true => Ok(gpu),
        false => {
            let (own, wanted) = (gpu.architecture.name, architecture.name);
            Err(Failure::mistake(format!(
                "{} is {own} and runs no code for {wanted}; use --target cuda:{own}",
                gpu.title
            )))
        }
    }
}

fn predict(
    command: &Explain,
    backend: &CudaBackend,
    gpu: Gpu,
    workload: &Workload,
    modules: &[String],
    compile_seconds: f64,
) -> std::result::Result<Prediction, Stop> {
    let compiled = &workload.compiled;
    let roofline = Roofline::of(&gpu);
    let calls = calls(workload, workload.stage);
    let usage = usage(backend, modules)?;
    let facts = |(i, kernel): (usize, &Kernel)| facts(backend, kernel, usage.as_ref().map(|usage| usage[&symbol(i)]));
    Ok(Prediction {
        gpu,
        target: backend.architecture().name,
        lines: roofline.lines(compiled, &calls),
        kernels: compiled.program.kernels.iter().enumerate().map(facts).collect::<Result<_>>()?,
        assembled: usage.is_some(),
        compile_seconds,
        unfused_bytes: roofline.sum(&unfused(command, workload)?, &calls).bytes,
        stages: training::stages(workload, &roofline, command.work.stage.is_some()),
    })
}

/// The same work with a kernel for each operation.
fn unfused(command: &Explain, workload: &Workload) -> Result<Compiled> {
    let disabled = session::disabled(&command.work.compiler, true)?.and(&Disabled::fusion());
    Ok(compile_without(workload.compiled.model.clone(), &workload.entries, &disabled))
}

/// By the name of a kernel's function; None where there is no assembler.
fn usage(backend: &CudaBackend, modules: &[String]) -> Result<Option<BTreeMap<String, Usage>>> {
    let Some(assembler) = Assembler::find() else { return Ok(None) };
    let architecture = backend.architecture().name;
    let assemble = |ptx: &String| assembler.assemble(architecture, ptx).map(|assembled| assembled.kernels);
    let parts: Result<Vec<_>> = std::thread::scope(|scope| {
        let parts: Vec<_> = modules.iter().map(|ptx| scope.spawn(|| assemble(ptx))).collect();
        parts.into_iter().map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    Ok(Some(parts?.into_iter().flatten().collect()))
}

fn facts(backend: &CudaBackend, kernel: &Kernel, usage: Option<Usage>) -> Result<KernelFacts> {
    let expected = backend.resources(kernel).map_err(machine)?;
    let registers = usage.map_or(expected.registers, |usage| usage.registers);
    let resources = Resources { registers, ..expected };
    let architecture = backend.architecture();
    Ok(KernelFacts {
        text: kernel.to_string(),
        reasons: super::reasons::reasons(kernel),
        resources,
        blocks: resources.blocks(architecture),
        occupancy: resources.occupancy(architecture),
        spilled: usage.map_or(0, |usage| usage.spilled),
    })
}

fn machine(error: impl ToString) -> Failure {
    Failure::new(Kind::Machine, error.to_string())
}
