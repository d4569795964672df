//! `tfc compile`: prints the stages of compilation, or writes the code.

use crate::arguments::{Compile, EntryKind, Stage};
use crate::assembler::Assembler;
use crate::console::Console;
use crate::spec::Spec;
use crate::stop::{Outcome, Stop};
use crate::target::Target;
use crate::{session, spec, stage};
use std::fmt::Write;
use tfc_compiler::compile::{compile_for_inference, compile_without, lowered};
use tfc_compiler::compiled::{Compiled, Entry};
use tfc_compiler::executable::{Backend, EmitStage};
use tfc_compiler::graph;
use tfc_compiler::model::Model;
use tfc_runtime::storage::NewFile;
use tfc_runtime::{Failure, Kind};

pub fn run(command: &Compile, console: &Console) -> Outcome {
    let target = Target::named(&command.target)?;
    command.emit.iter().try_for_each(|stage| has_stage(&command.target, *stage))?;
    let disabled = session::disabled(&command.compiler, matches!(target, Target::Cuda(..)))?;
    let target = target.without(&disabled);
    let spec = spec::load(&command.spec.spec, &command.spec.sets, console)?;
    stage::find(&spec.model, command.stage.as_deref())?;
    let entries = entries(&spec, command.entry)?;
    let compile = match (command.entry, &target) {
        (EntryKind::Train, _) | (_, Target::Cuda(..)) => compile_without,
        (EntryKind::Eval | EntryKind::Generate, Target::Cpu(_)) => compile_for_inference,
    };
    let compiled = compile(spec.model.clone(), &entries, &disabled);
    let assembler = match command.emit.contains(&Stage::Cubin) {
        true if command.out.is_none() => {
            return Err(Failure::mistake("a cubin is no text; name a folder for it with -o").into());
        }
        true => Some(Assembler::required()?),
        false => None,
    };
    let mut texts = Vec::new();
    for stage in command.emit.iter().filter(|stage| **stage != Stage::Cubin) {
        texts.push((*stage, text(*stage, &command.spec.spec, &spec.model, &entries, &compiled, target.backend())?));
    }
    match &command.out {
        None if texts.is_empty() => {
            console.print(&summary(&compiled))?;
        }
        None => texts.iter().try_for_each(|(_, text)| console.print(text))?,
        Some(out) => write(out, &compiled, &texts, &target, assembler.as_ref())?,
    }
    Ok(())
}

fn entries(Spec { model, sources, .. }: &Spec, kind: EntryKind) -> Result<Vec<Entry>, Failure> {
    match kind {
        EntryKind::Train | EntryKind::Eval if model.program.loss.is_none() => {
            Err(Failure::mistake("the model has no `loss`, so there is nothing to train or evaluate; bind one"))
        }
        EntryKind::Train => Ok(vec![Entry::Gradient, Entry::Update]),
        EntryKind::Eval => Ok(vec![Entry::Evaluate]),
        EntryKind::Generate => {
            spec::can_generate(model, sources)?;
            Ok(vec![Entry::Decode])
        }
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
        Stage::Cubin => unreachable!("a cubin is no text"),
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

/// Whether code for the target is in one of its stages what `--emit` asks for.
fn has_stage(target: &str, stage: Stage) -> Result<(), Failure> {
    let other = match (target.starts_with("cuda"), stage) {
        (true, Stage::Asm) => "ptx",
        (false, Stage::Ptx | Stage::Cubin) => "asm",
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
    target: &Target,
    assembler: Option<&Assembler>,
) -> Result<(), Failure> {
    std::fs::create_dir_all(out).map_err(|e| Failure::io("create", out, &e))?;
    match target {
        Target::Cuda(backend) => {
            let code = backend_text(backend, compiled, EmitStage::Ptx)?;
            NewFile::write(&out.join(file_name(Stage::Ptx)), code.as_bytes())?;
            if let Some(assembler) = assembler {
                let assembled = assembler.assemble(backend.architecture().name, &code)?;
                NewFile::write(&out.join(file_name(Stage::Cubin)), &assembled.cubin)?;
            }
        }
        Target::Cpu(backend) => {
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
        Stage::Cubin => "kernels.cubin",
        Stage::Dot => "graph.dot",
    }
}
