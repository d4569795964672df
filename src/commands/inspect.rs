//! `tfc inspect`: the tensors, token groups and entries of a spec; the tensors and history of a checkpoint.

use crate::arguments::{Format, Inspect};
use crate::console::Console;
use crate::stop::{Outcome, Stop};
use crate::{spec, stage};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use tfc_compiler::compile::lowered;
use tfc_compiler::compiled::Entry;
use tfc_compiler::graph::Graph;
use tfc_compiler::model::{Model, Parameter};
use tfc_compiler::size::SizeValues;
use tfc_runtime::Failure;
use tfc_runtime::checkpoint::{self, State};
use tfc_runtime::storage::read_text;

pub fn run(command: &Inspect, console: &Console) -> Outcome {
    let is_spec = command.subject.is_file();
    let (text, json) = if is_spec { of_spec(command, console)? } else { of_checkpoint(command, console)? };
    match command.format {
        Format::Text => console.print(&text)?,
        Format::Json => console.print(&format!("{json:#}\n"))?,
    }
    Ok(())
}

fn of_spec(command: &Inspect, console: &Console) -> Result<(String, Value), Stop> {
    let model = spec::load(&command.subject, &command.sets, console)?.model;
    let sizes = model.stage_sizes(stage::find(&model, command.stage.as_deref())?);
    let json = json!({ "parameters": parameters_json(&model, &sizes), "entries": entries_json(&model) });
    Ok((parameters_text(&model, &sizes) + &groups_text(&model, &sizes), json))
}

fn of_checkpoint(command: &Inspect, console: &Console) -> Result<(String, Value), Stop> {
    let path = checkpoint::locate(&command.subject)?;
    if !command.sets.is_empty() || command.stage.is_some() {
        let what = format!("`{}` is a checkpoint, which has its own stage and sizes", command.subject.display());
        return Err(Failure::mistake(format!("{what}; leave --stage and --set out, or name a .tfm file")).into());
    }
    let model = spec::of_checkpoint(&path, console)?.model;
    let state_path = path.join("state.json");
    let state = State::read(&state_path)?;
    let sizes = checkpoint::sizes_of(&path, &model, &state, 1)?;
    let state_json: Value = serde_json::from_str(&read_text(&state_path)?).unwrap_or(Value::Null);
    let json = json!({ "parameters": parameters_json(&model, &sizes), "state": state_json });
    let mut text = parameters_text(&model, &sizes) + &groups_text(&model, &sizes);
    let stage = state.stage_of(&model)?;
    // Writing to a string cannot fail.
    let _ =
        writeln!(text, "\nstep {} of the run, in stage {} `{}`", state.done.steps, state.stage.index + 1, stage.name);
    text += &history(&model, &state);
    Ok((text, json))
}

/// Of what grows: which rows were there from the start, and which came when.
fn history(model: &Model, state: &State) -> String {
    let mut births: Vec<(u64, u64)> = Vec::new();
    let growing = model.parameters.iter().zip(&state.rows).filter(|(parameter, _)| !parameter.grows.is_empty());
    for (_, lineage) in growing {
        for segment in lineage.axes.iter().flatten() {
            match births.iter_mut().find(|(step, _)| *step == segment.birth) {
                Some((_, rows)) => *rows += segment.rows,
                None => births.push((segment.birth, segment.rows)),
            }
        }
    }
    births.sort();
    births.iter().map(|(step, rows)| format!("{rows} rows since step {step}\n")).collect()
}

fn shape(parameter: &Parameter, sizes: &SizeValues) -> Vec<i64> {
    parameter.shape.iter().map(|size| size.eval(sizes)).collect()
}

/// For each axis, the token group that it grows with, or nothing.
fn axes(model: &Model, parameter: &Parameter) -> Vec<Option<String>> {
    let group = |axis: usize| model.token_groups[model.token_axes[axis].group].name.clone();
    parameter.shape.iter().map(|size| model.axis_of(size).map(group)).collect()
}

fn parameters_json(model: &Model, sizes: &SizeValues) -> Vec<Value> {
    let one = |p: &Parameter| json!({ "name": p.path, "shape": shape(p, sizes), "axes": axes(model, p) });
    model.parameters.iter().map(one).collect()
}

fn parameters_text(model: &Model, sizes: &SizeValues) -> String {
    let width = model.parameters.iter().map(|p| p.path.len()).max().unwrap_or(0);
    let mut total = 0;
    let mut text = String::new();
    for parameter in &model.parameters {
        let shape = shape(parameter, sizes);
        total += shape.iter().product::<i64>();
        let grows: Vec<String> = axes(model, parameter).into_iter().flatten().collect();
        let grows = if grows.is_empty() { String::new() } else { format!("  grows with {}", grows.join(", ")) };
        let _ = writeln!(text, "{:<width$}  {:<16}{grows}", parameter.path, format!("{shape:?}"));
    }
    text + &format!("{total} parameters in {} tensors\n", model.parameters.len())
}

fn groups_text(model: &Model, sizes: &SizeValues) -> String {
    let mut text = String::new();
    for (index, group) in model.token_groups.iter().enumerate() {
        let axes = model.token_axes.iter().filter(|axis| axis.group == index);
        let tokens: Vec<i64> = axes.map(|axis| sizes.get(axis.symbol)).collect();
        let equal = tokens.windows(2).all(|pair| pair[0] == pair[1]);
        let counts = match tokens.first() {
            Some(first) if equal => format!("{first} in each of {} places", tokens.len()),
            Some(_) => format!("{tokens:?}"),
            None => "used nowhere".to_string(),
        };
        let _ = writeln!(text, "tokens {}: {counts}", group.name);
    }
    text
}

/// Every binding of `forward`, the loss, the metrics, and `grad`.
fn entries_json(model: &Model) -> Value {
    let mut entries = Map::new();
    for (name, _) in &model.program.names {
        entries.insert(name.clone(), entry_json(&lowered(model, &Entry::Named(vec![name.clone()]))));
    }
    if model.program.loss.is_some() {
        entries.insert("grad".into(), entry_json(&lowered(model, &Entry::Grad)));
    }
    Value::Object(entries)
}

fn entry_json(graph: &Graph) -> Value {
    let describe = |ty: &tfc_compiler::graph::Type| {
        let shape: Vec<String> = ty.shape.iter().map(|size| size.display(&graph.symbols).to_string()).collect();
        json!({ "dtype": ty.dtype.name(), "shape": shape })
    };
    let inputs: Map<String, Value> = graph.inputs.iter().map(|i| (i.name.clone(), describe(&i.ty))).collect();
    let outputs: Map<String, Value> =
        graph.outputs.iter().map(|o| (o.name.clone(), describe(graph.ty(o.value)))).collect();
    json!({ "inputs": inputs, "outputs": outputs })
}
