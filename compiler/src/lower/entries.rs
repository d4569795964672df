//! The entries: what each asks of the forward pass and what it does with it.

use super::{Mode, decode, forward::Forward};
use crate::autodiff::differentiate;
use crate::compiled::Entry;
use crate::graph::{Builder, Graph, Type, Value};
use crate::model::{Model, ValueId};
use crate::storage::Storage;

/// The graph of one entry, before any pass, and the types of the caches it uses.
///
/// `entry` must be one that the model has: a loss for `Gradient`, `AddGradient`, `Evaluate` and `Grad`, [`super::can_decode`] for `Decode`, existing
/// names for `Named`.
pub fn lower(model: &Model, entry: &Entry) -> (Graph, Vec<Type>) {
    match entry {
        Entry::Gradient => (gradient(model, entry, false), Vec::new()),
        Entry::AddGradient => (gradient(model, entry, true), Vec::new()),
        Entry::Update => (crate::update::update(&model.symbols, &model.parameters), Vec::new()),
        Entry::Evaluate => (evaluate(model), Vec::new()),
        Entry::Decode => decode::decode(model),
        Entry::Named(names) => (named(model, names), Vec::new()),
        Entry::Grad => (grad(model), Vec::new()),
    }
}

fn gradient(model: &Model, entry: &Entry, accumulate: bool) -> Graph {
    let mut forward = start(model, entry.name(), Mode::Train, &[loss_of(model)]);
    let loss = forward.value(loss_of(model));
    let weight = forward.builder.input("loss_weight", Type::f32(Vec::new()));
    let gradients = parameter_gradients(&mut forward, loss, weight);
    for (parameter, gradient) in gradients {
        let target = Storage::Gradient(parameter as u32);
        forward.builder.store(&model.parameters[parameter].path, gradient, target, accumulate);
    }
    forward.builder.output("loss", loss);
    forward.builder.finish()
}

fn grad(model: &Model) -> Graph {
    let mut forward = start(model, "grad", Mode::Evaluate, &[loss_of(model)]);
    let loss = forward.value(loss_of(model));
    let weight = forward.builder.constant(1.0, Type::f32(Vec::new()));
    let gradients = parameter_gradients(&mut forward, loss, weight);
    forward.builder.output("loss", loss);
    for (parameter, gradient) in gradients {
        forward.builder.output(&model.parameters[parameter].path, gradient);
    }
    forward.builder.finish()
}

/// The gradient of every parameter, zero where the loss does not depend on it.
fn parameter_gradients(forward: &mut Forward, loss: Value, weight: Value) -> Vec<(usize, Value)> {
    let parameters: Vec<Value> = (0..forward.model.parameters.len()).map(|p| forward.parameter(p)).collect();
    let gradients = differentiate(&mut forward.builder, loss, weight, &parameters);
    gradients.into_iter().enumerate().collect()
}

fn evaluate(model: &Model) -> Graph {
    let mut forward = start(model, "evaluate", Mode::Evaluate, &[loss_of(model)]);
    let loss = forward.value(loss_of(model));
    forward.builder.output("loss", loss);
    for (name, value) in &model.program.metrics {
        let value = forward.value(*value);
        forward.builder.output(name, value);
    }
    forward.builder.finish()
}

fn named(model: &Model, names: &[String]) -> Graph {
    let binding = |name: &String| {
        let found = model.program.names.iter().find(|(n, _)| n == name);
        found.unwrap_or_else(|| panic!("bug in tfc: no binding `{name}`")).1
    };
    let values: Vec<ValueId> = names.iter().map(binding).collect();
    let mut forward = start(model, "named", Mode::Evaluate, &values);
    for (name, value) in names.iter().zip(values) {
        let value = forward.value(value);
        forward.builder.output(name, value);
    }
    forward.builder.finish()
}

fn start<'a>(model: &'a Model, entry: &str, mode: Mode, wanted: &[ValueId]) -> Forward<'a> {
    Forward::new(model, Builder::new(entry, model.symbols.clone()), mode, wanted)
}

fn loss_of(model: &Model) -> ValueId {
    model.program.loss.expect("bug in tfc: an entry with a loss was asked of a model without one")
}
