//! `tfc compile`: prints the stages of compilation, or writes the code.

use crate::arguments::{Compile, EntryKind, Stage};
use crate::console::Console;
use crate::stop::{Outcome, Stop};
use crate::{session, spec, stage};
use std::fmt::Write;
use tfc_codegen::{Architecture, CpuBackend, CudaBackend, Processor};
use tfc_compiler::compile::{compile_for_inference, compile_without, lowered};
use tfc_compiler::compiled::{Compiled, Entry};
use tfc_compiler::executable::{Backend, EmitStage};
use tfc_compiler::graph;
use tfc_compiler::model::Model;
use tfc_runtime::storage::NewFile;
use tfc_runtime::{Failure, Kind};

pub fn run(command: &Compile, console: &Console) -> Outcome {
    let backend = backend(&command.target)?;
    command.emit.iter().try_for_each(|stage| has_stage(&command.target, *stage))?;
    let disabled = session::disabled(&command.compiler)?;
    let spec = spec::load(&command.spec.spec, &command.spec.sets, console)?;
    stage::find(&spec.model, command.stage.as_deref())?;
    let entries = entries(&spec.model, command.entry)?;
    let compile = match (command.entry, command.target.starts_with("cuda")) {
        (EntryKind::Train, _) | (_, true) => compile_without,
        (EntryKind::Eval | EntryKind::Generate, false) => compile_for_inference,
    };
    let compiled = compile(spec.model.clone(), &entries, &disabled);
    let mut texts = Vec::new();
    for stage in &command.emit {
        texts.push((*stage, text(*stage, &command.spec.spec, &spec.model, &entries, &compiled, backend.as_ref())?));
    }
    match &command.out {
        None if texts.is_empty() => {
            console.print(&summary(&compiled))?;
        }
        None => texts.iter().try_for_each(|(_, text)| console.print(text))?,
        Some(out) => write(out, &compiled, &texts, backend.as_ref())?,
    }
    Ok(())
}

fn entries(model: &Model, kind: EntryKind) -> Result<Vec<Entry>, Failure> {
    match kind {
        EntryKind::Train | EntryKind::Eval if model.program.loss.is_none() => {
            Err(Failure::mistake("the model has no `loss`, so there is nothing to train or evaluate; bind one"))
        }
        EntryKind::Train => Ok(vec![Entry::Gradient, Entry::Update]),
        EntryKind::Eval => Ok(vec![Entry::Evaluate]),
        EntryKind::Generate => match tfc_compiler::lower::can_decode(model) {
            Ok(_) => Ok(vec![Entry::Decode]),
            Err((why, _)) => Err(Failure::mistake(format!("this model generates nothing: {why}"))),
        },
    }
}

fn text(
    stage: Stage,
    path: &std::path::Path,
    model: &Model,
    entries: &[Entry],
    compiled: &Compiled,
    backend: &dyn Backend,
) -> Result<String, Stop> {
    let each_graph = |print: &dyn Fn(&graph::Graph) -> String| compiled.graphs.iter().map(print).collect();
    Ok(match stage {
        Stage::Ast => spec::formatted(path)?,
        Stage::Model => model.to_string(),
        Stage::Graph => entries.iter().map(|entry| lowered(model, entry).to_string()).collect(),
        Stage::Grad => each_graph(&|graph| graph.to_string()),
        Stage::Dot => each_graph(&graph::dot::dot),
        Stage::Fused => fused(compiled),
        Stage::Plan => compiled.program.to_string(),
        Stage::Mlir => backend_text(backend, compiled, EmitStage::Mlir)?,
        Stage::MlirLowered => backend_text(backend, compiled, EmitStage::MlirLowered)?,
        Stage::Llvm => backend_text(backend, compiled, EmitStage::Llvm)?,
        Stage::Asm => backend_text(backend, compiled, EmitStage::Asm)?,
        Stage::Ptx => backend_text(backend, compiled, EmitStage::Ptx)?,
    })
}

fn fused(compiled: &Compiled) -> String {
    let mut text = String::new();
    for (i, kernel) in compiled.program.kernels.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(text, "kernel {i}: {kernel}");
    }
    text
}

/// `cpu`, or `cpu:` and a processor; `cuda`, or `cuda:` and an architecture.
fn backend(target: &str) -> Result<Box<dyn Backend>, Failure> {
    let on_cpu = |backend: CpuBackend| Box::new(backend) as Box<dyn Backend>;
    let on_gpu = |architecture| Box::new(CudaBackend::new(architecture)) as Box<dyn Backend>;
    let backend = match target.split_once(':') {
        None if target == "cpu" => Some(on_cpu(CpuBackend::new())),
        None if target == "cuda" => Some(on_gpu(Architecture::BASELINE)),
        Some(("cpu", processor)) => Processor::named(processor).map(CpuBackend::of).map(on_cpu),
        Some(("cuda", architecture)) => Architecture::named(architecture).map(on_gpu),
        None | Some(_) => None,
    };
    backend.ok_or_else(|| {
        let processors = Processor::NAMES.map(|name| format!("`cpu:{name}`")).join(", ");
        let gpus = Architecture::ALL.map(|gpu| format!("`cuda:{}`", gpu.name)).join(", ");
        let baseline = Architecture::BASELINE.name;
        Failure::mistake(format!(
            "`{target}` is no target; there is `cpu`, which is this machine, {processors}, `cuda`, which is {baseline}, {gpus}"
        ))
    })
}

/// Whether code for the target is in one of its stages what `--emit` asks for.
fn has_stage(target: &str, stage: Stage) -> Result<(), Failure> {
    let other = match (target.starts_with("cuda"), stage) {
        (true, Stage::Asm) => "ptx",
        (false, Stage::Ptx) => "asm",
        _ => return Ok(()),
    };
    Err(Failure::mistake(format!("the last stage of code for `{target}` is printed by `--emit {other}`")))
}

fn backend_text(backend: &dyn Backend, compiled: &Compiled, stage: EmitStage) -> Result<String, Failure> {
    let text = backend.text(&compiled.program.kernels, stage);
    text.map_err(|e| Failure::new(Kind::Machine, e.to_string()))
}

fn summary(compiled: &Compiled) -> String {
    let mut text = String::new();
    for plan in &compiled.program.plans {
        let _ = writeln!(text, "{}: {} steps, {} buffers", plan.name, plan.steps.len(), plan.buffers.len());
    }
    let _ = writeln!(text, "{} distinct kernels", compiled.program.kernels.len());
    text
}

/// The code, and each emitted text under the name of its stage.
fn write(
    out: &std::path::Path,
    compiled: &Compiled,
    texts: &[(Stage, String)],
    backend: &dyn Backend,
) -> Result<(), Failure> {
    std::fs::create_dir_all(out).map_err(|e| Failure::io("create", out, &e))?;
    match backend.target().starts_with("cuda") {
        true => {
            let code = backend_text(backend, compiled, EmitStage::Ptx)?;
            NewFile::write(&out.join(file_name(Stage::Ptx)), code.as_bytes())?;
        }
        false => {
            let code = backend.emit(&compiled.program.kernels);
            let code = code.map_err(|e| Failure::new(Kind::Machine, e.to_string()))?;
            NewFile::write(&out.join("kernels.o"), &code.bytes)?;
        }
    }
    for (stage, text) in texts {
        NewFile::write(&out.join(file_name(*stage)), text.as_bytes())?;
    }
    Ok(())
}

fn file_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Ast => "ast.tfm",
        Stage::Model => "model.txt",
        Stage::Graph => "graph.txt",
        Stage::Grad => "grad.txt",
        Stage::Fused => "fused.txt",
        Stage::Plan => "plan.txt",
        Stage::Mlir => "kernels.mlir",
        Stage::MlirLowered => "kernels-lowered.mlir",
        Stage::Llvm => "kernels.ll",
        Stage::Asm => "kernels.s",
        Stage::Ptx => "kernels.ptx",
        Stage::Dot => "graph.dot",
    }
}
