//! Our paths and the official names.

use crate::device::shape_at;
use crate::{Failure, Result};
use std::collections::BTreeMap;
use tfc_compiler::model::{Model, Parameter, PathPart, Role, path_parts};
use tfc_compiler::size::SizeValues;

/// A parameter and where it stands in the official layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: String,
    pub name: String,
    pub shape: Vec<usize>,
}

/// The places of all parameters, in the model's order.
///
/// # Errors
/// The model has a parameter that the official ones do not have.
pub fn places(model: &Model, sizes: &SizeValues) -> Result<Vec<Place>> {
    let blocks = model.parameters.iter().filter_map(|parameter| block(&path_parts(&parameter.path))).max();
    let blocks = blocks.map_or(0, |last| last + 1);
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    let mut places = Vec::new();
    for parameter in &model.parameters {
        let path = &parameter.path;
        let name = name(parameter, blocks).ok_or_else(|| stranger(path))?;
        if let Some(other) = taken.insert(name.clone(), path) {
            let what = format!("`{other}` and `{path}` have the same place in the official layout, `{name}`");
            return Err(Failure::mistake(format!("{what}; the official models have one of them")));
        }
        places.push(Place { path: path.clone(), name, shape: shape_at(&parameter.shape, sizes) });
    }
    Ok(places)
}

/// Pattentions are known by the names that specs/ give them, the rest by what it is for.
fn name(parameter: &Parameter, blocks: u64) -> Option<String> {
    let parts = path_parts(&parameter.path);
    match (parameter.role, block(&parts)) {
        (Role::Embedding, None) => Some("sequential.0.word_embeddings.weight".to_string()),
        (Role::NormWeight, None) => Some(format!("sequential.{}.norm.weight", blocks + 3)),
        (Role::NormBias, None) => Some(format!("sequential.{}.norm.bias", blocks + 3)),
        (Role::Linear, None) => Some(format!("sequential.{}.final_linear.weight", blocks + 4)),
        (Role::Keys | Role::Values, Some(block)) => {
            let [.., pattention, _] = &parts[..] else { return None };
            let pattention = match pattention.name {
                "q" | "query" => "attention.query",
                "k" | "key" => "attention.key",
                "v" | "value" => "attention.value",
                "proj" => "attention.proj",
                "ffn" | "mlp" => "mlp",
                _ => return None,
            };
            let half = if parameter.role == Role::Keys { "key" } else { "value" };
            Some(format!("sequential.{}.{pattention}.{half}_param_tokens", block + 2))
        }
        _ => None,
    }
}

/// The number of the block that a path belongs to, if it belongs to one alone.
fn block(parts: &[PathPart]) -> Option<u64> {
    let mut indices = parts.iter().filter_map(|part| part.index);
    indices.next().filter(|_| indices.next().is_none())
}

fn stranger(path: &str) -> Failure {
    let has = "an embedding, a last norm, and in each block Pattentions q, k, v, proj and ffn";
    Failure::mistake(format!(
        "`{path}` has no place in the official layout, which has {has}; name or leave out its layer"
    ))
}
