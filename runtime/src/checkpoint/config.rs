//! `config.json`: the model in numbers, for programs that read the tensors without knowing tfc.

use super::State;
use serde_json::{Map, Value, json};
use tfc_compiler::model::{ConstantValue, Model};
use tfc_compiler::size::SizeValues;

pub fn json(model: &Model, sizes: &SizeValues, state: &State) -> String {
    let constants: Map<String, Value> = model
        .constants
        .iter()
        .map(|constant| {
            let value = match &constant.value {
                ConstantValue::Number(number) => json!(number),
                ConstantValue::Name(name) => json!(name),
                ConstantValue::Flag(flag) => json!(flag),
            };
            (constant.name.clone(), value)
        })
        .collect();
    let scales: Map<String, Value> =
        state.scales.iter().map(|scale| (scale.scale.clone(), json!(scale.value))).collect();
    let config = json!({
        "model": model.name,
        "stage": state.stage.name,
        "step": state.done.steps,
        "parameters": model.parameter_count(sizes),
        "context": model.context,
        "constants": constants,
        "tokens": state.tokens,
        "scales": scales,
    });
    format!("{config:#}\n")
}
