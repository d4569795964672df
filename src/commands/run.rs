//! `tfc run`: one entry on tensors from files, so that any number can be compared with another framework's.

use crate::arguments::Run;
use crate::console::Console;
use crate::stop::Outcome;
use crate::{output, session, spec, stage};
use std::path::Path;
use std::sync::Arc;
use tfc_compiler::compile::compile_without;
use tfc_compiler::compiled::{Compiled, Entry};
use tfc_compiler::graph::Graph;
use tfc_compiler::model::{InputKind, Model, ModelInput};
use tfc_compiler::size::{SizeValues, Symbol};
use tfc_compiler::storage::Storage;
use tfc_grammar::did_you_mean::did_you_mean;
use tfc_runtime::checkpoint::load_weights;
use tfc_runtime::device::{HostTensor, Named, Session, read_tensor, write_named};
use tfc_runtime::storage::TensorFile;
use tfc_runtime::{Failure, Result};

pub fn run(command: &Run, console: &Console) -> Outcome {
    let model = spec::load(&command.spec.spec, &command.spec.sets, console)?.model;
    let stage = stage::find(&model, command.stage.as_deref())?;
    let entry = entry(&model, &command.entry)?;
    let disabled = session::disabled(&command.compiler, command.device.device.is_gpu())?;
    let entries = std::slice::from_ref(&entry);
    let compiled = Arc::new(match entry {
        Entry::Grad => compile_without(model, entries, &disabled),
        _ => session::compile(model, entries, command.device.device, &disabled),
    });
    let mut inputs = read_inputs(&command.inputs, &compiled)?;
    let sizes = sizes(&compiled, stage, &inputs)?;
    place(&compiled, &sizes, &mut inputs)?;

    let mut session = session::open(&compiled, &command.device)?;
    session.resize(&sizes)?;
    session.set_precision(compiled.model.stage_precision(stage));
    load_weights(&command.weights, &compiled, session.as_mut())?;
    write_scales(&compiled.model, stage, session.as_mut())?;
    let outputs = session.run(entry.name(), &[], &inputs)?;
    output::may_be_written(&command.out, &[&command.spec.spec, &command.weights, &command.inputs])?;
    write_named(&command.out, &outputs)?;
    console.say(&format!(
        "{} in {}",
        outputs.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", "),
        command.out.display()
    ));
    Ok(())
}

/// `grad`, or the bindings that the name lists.
fn entry(model: &Model, name: &str) -> Result<Entry> {
    if name == "grad" {
        return match model.program.loss {
            Some(_) => Ok(Entry::Grad),
            None => Err(Failure::mistake("the model has no loss, so there is no gradient; bind `loss`")),
        };
    }
    let known: Vec<&str> = model.program.names.iter().map(|(name, _)| name.as_str()).chain(["grad"]).collect();
    let names: Vec<String> = name.split(',').map(|n| n.trim().to_string()).collect();
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            return Err(Failure::mistake(format!("the entry `{name}` is asked for twice; ask once")));
        }
        if name == "grad" {
            return Err(Failure::mistake("`grad` is an entry of its own; ask for the others without it"));
        }
        if !known.contains(&name.as_str()) {
            let nearest = did_you_mean(name, known.iter().copied());
            let hint = nearest.map_or(String::new(), |n| format!("did you mean `{n}`? "));
            let has = known.join(", ");
            return Err(Failure::mistake(format!("the model has no entry `{name}`; {hint}it has {has}")));
        }
    }
    Ok(Entry::Named(names))
}

/// The inputs that the entry takes, of those in the file.
fn read_inputs(path: &Path, compiled: &Compiled) -> Result<Vec<Named>> {
    let file = TensorFile::open(path)?;
    let wanted = compiled.graphs.iter().flat_map(|graph| &graph.inputs).map(|input| input.name.clone());
    wanted
        .filter(|name| file.names().contains(name))
        .map(|name| Ok((name.clone(), read_tensor(path, &file, &name)?)))
        .collect()
}

/// The stage's sizes, with the batch and the sequence of the inputs.
fn sizes(compiled: &Compiled, stage: usize, inputs: &[Named]) -> Result<SizeValues> {
    let model = &compiled.model;
    let mut sizes = model.stage_sizes(stage);
    for (name, tensor) in inputs {
        let Some(input) = model.inputs.iter().find(|input| input.name == *name) else { continue };
        let batch = batch(name, tensor.shape(), &compiled.graphs[0])?;
        sizes.set(Symbol::BATCH, batch as i64);
        if let InputKind::TokenIds { context } = input.kind {
            let longer = compiled.graphs[0]
                .inputs
                .iter()
                .any(|i| i.name == *name && i.ty.shape.get(1).is_some_and(|s| s.as_symbol() != Some(Symbol::SEQUENCE)));
            let sequence = tensor.shape().get(1).map_or(0, |n| *n as i64) - i64::from(longer);
            if sequence < 1 || sequence > context {
                let extra = if longer { ", and one more for `next`" } else { "" };
                let message =
                    format!("`{name}` must have 1 to {context} positions (`context`){extra}; it has {sequence}");
                return Err(Failure::mistake(message));
            }
            sizes.set(Symbol::SEQUENCE, sequence);
        }
        check_ids(input, tensor, model, &sizes)?;
    }
    Ok(sizes)
}

/// How many sequences, images or rows an input has, if it has the axes of its shape.
fn batch(name: &str, shape: &[usize], graph: &Graph) -> Result<usize> {
    let wanted = graph.inputs.iter().find(|input| input.name == name).map(|input| &input.ty.shape);
    let axes = wanted.map_or(1, Vec::len);
    match *shape {
        [0, ..] => Err(Failure::mistake(format!("`{name}` is an empty batch: its shape is {shape:?}"))),
        [batch, ..] if shape.len() == axes => Ok(batch),
        _ => {
            let wanted = wanted.into_iter().flatten().map(|size| size.display(&graph.symbols).to_string());
            let wanted = wanted.collect::<Vec<_>>().join(", ");
            Err(Failure::mistake(format!("`{name}` must have the shape [{wanted}]; it has {shape:?}")))
        }
    }
}

/// Where documents are kept apart the file may say at which position of its document each token stands; without that a sequence is one
/// document.
fn place(compiled: &Compiled, sizes: &SizeValues, inputs: &mut Vec<Named>) -> Result<()> {
    let is_positions = |name: &str| name == "positions" && compiled.model.separates_documents();
    if !compiled.graphs[0].inputs.iter().any(|input| is_positions(&input.name)) {
        return Ok(());
    }
    let [batch, sequence] = [Symbol::BATCH, Symbol::SEQUENCE].map(|symbol| sizes.get(symbol) as usize);
    let Some((_, given)) = inputs.iter().find(|(name, _)| is_positions(name)) else {
        let data = (0..batch).flat_map(|_| 0..sequence as i32).collect();
        inputs.push(("positions".to_string(), HostTensor::I32 { shape: vec![batch, sequence], data }));
        return Ok(());
    };
    let HostTensor::I32 { data, .. } = given else { return Ok(()) };
    let outside = |(place, position): (usize, &i32)| !(0..=(place % sequence) as i32).contains(position);
    match data.iter().enumerate().find(|(place, position)| outside((*place, position))) {
        None => Ok(()),
        Some((place, position)) => {
            let most = place % sequence;
            let what = format!("`positions` holds {position} at place {most} of a sequence; there it is 0 to {most}");
            Err(Failure::mistake(what))
        }
    }
}

/// Ids that no embedding has would read past its table, and labels without a column of the logits have no loss.
fn check_ids(input: &ModelInput, tensor: &HostTensor, model: &Model, sizes: &SizeValues) -> Result<()> {
    let HostTensor::I32 { data, .. } = tensor else { return Ok(()) };
    let (what, known) = match input.kind {
        InputKind::TokenIds { .. } => ("id", model.vocabulary(sizes).map(|vocabulary| vocabulary.size)),
        InputKind::Class { classes } => ("label", Some(classes)),
        InputKind::Image { .. } | InputKind::Tensor { .. } => return Ok(()),
    };
    let Some(known) = known else { return Ok(()) };
    match data.iter().find(|id| !(0..known).contains(&i64::from(**id))) {
        None => Ok(()),
        Some(id) => {
            Err(Failure::mistake(format!("`{}` holds the {what} {id}; {what}s are 0 to {}", input.name, known - 1)))
        }
    }
}

fn write_scales(model: &Model, stage: usize, session: &mut dyn Session) -> Result<()> {
    let scales = model.stage_scales(stage).at_start;
    let mut scales = scales.iter().enumerate();
    scales.try_for_each(|(i, value)| session.write(Storage::Scale(i as u32), &HostTensor::scalar(*value)))
}
