//! How the tensors of a file differ from those that a spec has, as a diff.

use super::places::Place;
use crate::{Failure, Result};
use std::collections::BTreeMap;
use tfc_grammar::did_you_mean::did_you_mean;

/// Lines that are said; a mistake in one block is one in all of them.
const SAID: usize = 12;

/// # Errors
/// The file has other tensors than the spec, or of other shapes; `what` is what it is called.
pub fn compare(what: &str, file: &BTreeMap<String, Vec<usize>>, places: &[Place]) -> Result<()> {
    let is_known = |name: &str| places.iter().any(|place| place.name == name);
    let mut strangers: Vec<&str> = file.keys().map(String::as_str).filter(|name| !is_known(name)).collect();
    let mut lines = Vec::new();
    for Place { path, name, shape } in places {
        let theirs = match file.get(name) {
            Some(theirs) if theirs == shape => continue,
            Some(_) => Some(name.as_str()),
            None => did_you_mean(name, strangers.iter().copied()),
        };
        if let Some(theirs) = theirs {
            lines.push(format!("- {theirs} {:?}", file[theirs]));
            strangers.retain(|stranger| *stranger != theirs);
        }
        lines.push(format!("+ {name} {shape:?}  `{path}`"));
    }
    lines.extend(strangers.iter().map(|stranger| format!("- {stranger} {:?}", file[*stranger])));
    if lines.is_empty() {
        return Ok(());
    }
    let mut text = format!("{what} is not of the spec's model (- the file, + the spec):");
    lines.iter().take(SAID).for_each(|line| text += &format!("\n  {line}"));
    if lines.len() > SAID {
        text += &format!("\n  … {} more", lines.len() - SAID);
    }
    let ours = places.iter().map(|place| (place.name.as_str(), place.shape.as_slice()));
    let theirs = file.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()));
    Err(Failure::mistake(format!("{text}\nthe file: {}\nthe spec: {}", summary(theirs), summary(ours))))
}

/// The sizes that say which model it is.
fn summary<'a>(tensors: impl Iterator<Item = (&'a str, &'a [usize])>) -> String {
    let tensors: BTreeMap<&str, &[usize]> = tensors.collect();
    let blocks = tensors.keys().filter(|name| name.ends_with(".mlp.key_param_tokens")).count();
    let size = |name: &str, axis: usize| {
        let shape = tensors.iter().find(|(known, _)| known.ends_with(name)).and_then(|(_, shape)| shape.get(axis));
        shape.map_or("?".to_string(), usize::to_string)
    };
    let tokens = ["attention.query", "attention.proj", "mlp"].map(|of| size(&format!("2.{of}.key_param_tokens"), 0));
    let (vocabulary, width) = (size(".word_embeddings.weight", 0), size(".word_embeddings.weight", 1));
    let [qkv, proj, ffn] = tokens;
    format!("{blocks} blocks, width {width}, vocabulary {vocabulary}, tokens {qkv} (qkv), {proj} (proj), {ffn} (ffn)")
}
