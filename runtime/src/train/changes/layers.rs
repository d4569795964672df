//! How two models differ as functions: what their parameters are and what is computed from them.

use tfc_compiler::model::{Application, Constant, ConstantValue, Model, Parameter, ValueId};
use tfc_grammar::did_you_mean::did_you_mean;

/// Nothing if every tensor of one model means the same in the other. Where a text came to stand and how new rows are drawn do
/// not matter.
pub fn differences(before: &Model, after: &Model) -> Vec<String> {
    let mut differences = parameters(before, after);
    if !differences.is_empty() {
        // What the user wrote comes before what became of it.
        differences.splice(0..0, constants(before, after));
    }
    if before.context != after.context {
        let text = |context: Option<i64>| context.map_or("none".to_string(), |context| context.to_string());
        differences.push(format!("context = {} (was {})", text(after.context), text(before.context)));
    }
    let same_rules = before.scales.len() == after.scales.len()
        && before.scales.iter().zip(&after.scales).all(|(a, b)| a.path == b.path && a.rule == b.rule);
    if !same_rules {
        differences.push("the scales of the pattentions follow other rules".to_string());
    }
    if differences.is_empty() {
        differences.extend(layers(before, after));
    }
    differences
}

fn constants(before: &Model, after: &Model) -> Vec<String> {
    let changed = |new: &Constant| {
        let old = before.constants.iter().find(|old| old.name == new.name)?;
        let [was, is] = [&old.value, &new.value].map(|value| match value {
            ConstantValue::Number(number) => number.to_string(),
            ConstantValue::Name(name) => name.clone(),
            ConstantValue::Flag(flag) => flag.to_string(),
        });
        (was != is).then(|| format!("{} = {is} (was {was})", new.name))
    };
    after.constants.iter().filter_map(changed).collect()
}

fn parameters(before: &Model, after: &Model) -> Vec<String> {
    let mut differences = Vec::new();
    for old in &before.parameters {
        match after.parameters.iter().find(|new| new.path == old.path) {
            Some(new) => {
                let [was, is] = [shape(before, old), shape(after, new)];
                if was != is {
                    differences.push(format!("`{}` is {is} (was {was})", old.path));
                }
            }
            None => {
                let nearest = did_you_mean(&old.path, after.parameters.iter().map(|new| new.path.as_str()));
                let hint = nearest.map_or(String::new(), |nearest| format!(" (there is `{nearest}`)"));
                differences.push(format!("`{}` is gone{hint}", old.path));
            }
        }
    }
    let added = after.parameters.iter().filter(|new| before.parameter(&new.path).is_none());
    differences.extend(added.map(|new| format!("`{}` is new", new.path)));
    let order = |model: &Model| model.parameters.iter().map(|p| p.path.clone()).collect::<Vec<_>>();
    if differences.is_empty() && order(before) != order(after) {
        differences.push("the parameters stand in another order".to_string());
    }
    differences
}

fn shape(model: &Model, parameter: &Parameter) -> String {
    let sizes: Vec<String> = parameter.shape.iter().map(|size| size.display(&model.symbols).to_string()).collect();
    format!("[{}]", sizes.join(", "))
}

/// The first application on the way to the loss that is another one; metrics may come and go.
fn layers(before: &Model, after: &Model) -> Option<String> {
    let [old, new] = [before, after].map(|model| on_the_way_to(model, model.program.loss));
    match old.iter().zip(&new).find(|(a, b)| !is_same(a, b)) {
        Some(((a, _), (b, _))) => {
            let whose = if b.path.is_empty() { String::new() } else { format!("`{}` ", b.path) };
            Some(format!("{whose}computes `{:?}` (was `{:?}`)", b.primitive, a.primitive))
        }
        None => (old.len() != new.len()).then(|| "the loss is computed from other values".to_string()),
    }
}

/// An application, and which of those before it its operands are.
type Step<'a> = (&'a Application, Vec<usize>);

fn is_same((a, operands_of_a): &Step<'_>, (b, operands_of_b): &Step<'_>) -> bool {
    a.primitive == b.primitive && operands_of_a == operands_of_b && a.ty == b.ty
}

/// Whether a metric, or the loss, is computed alike.
pub fn is_same_metric(models: [&Model; 2], name: &str) -> bool {
    let [was, is] = models.map(|model| {
        let metric = model.program.metrics.iter().find(|(metric, _)| metric == name).map(|(_, value)| *value);
        on_the_way_to(model, metric.or(model.program.loss))
    });
    was.len() == is.len() && was.iter().zip(&is).all(|(a, b)| is_same(a, b))
}

fn on_the_way_to(model: &Model, value: Option<ValueId>) -> Vec<Step<'_>> {
    let program = &model.program;
    let needed = program.reachable(value.as_slice(), &|_| false);
    // The applications that are needed stand in order.
    let place = |operand: &ValueId| needed.partition_point(|id| id < operand);
    let step = |id: &ValueId| {
        let application = &program.values[id.0 as usize];
        (application, application.operands.iter().map(place).collect())
    };
    needed.iter().map(step).collect()
}
