//! Generation: the prompt in one call, then a token at a time with a key/value cache.
//!
//! Generation ends where the document does, after as many tokens as were asked for, or at the model's context. It does not slide:
//! positions beyond the context were never trained, and moving the window would mean to compute everything in it anew.

mod sample;
mod text;

pub use sample::Sampling;
pub use text::{Writer, end_of_document, generate_text};

#[cfg(test)]
mod tests;

use crate::device::{HostTensor, Named, Session};
use crate::{Failure, Kind, Result, call};
use tfc_compiler::compiled::Compiled;
use tfc_compiler::graph::Graph;
use tfc_compiler::model::{InputKind, Model};
use tfc_compiler::size::Symbol;

/// What to generate. The prompt is tokens or text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request<Prompt> {
    pub prompt: Prompt,
    /// The most tokens to add.
    pub tokens: u64,
    pub sampling: Sampling,
    /// The token that ends a document; it is not handed on.
    pub end: Option<u32>,
}

/// Why generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    EndOfDocument,
    /// As many tokens as were asked for.
    Length,
    /// The model's context is full.
    Context,
}

/// Continues a prompt with the session's parameters, handing each token to `each` as it comes.
///
/// # Errors
/// The model cannot generate, the prompt is empty or longer than the context, or `each` says so.
pub fn generate(
    compiled: &Compiled,
    session: &mut dyn Session,
    request: Request<&[u32]>,
    each: &mut dyn FnMut(u32) -> Result<()>,
) -> Result<Stop> {
    let graph = call::graph(compiled, "decode")?;
    let (ids, context) = token_input(&compiled.model)?;
    let length = request.prompt.len() as u64;
    if length == 0 {
        return Err(Failure::mistake("there is nothing to continue; give a prompt"));
    }
    if length > context {
        let what = format!("the prompt has {length} tokens, but the model's context is {context}");
        return Err(Failure::mistake(format!("{what}; make it shorter")));
    }
    request.sampling.check()?;

    let capacity = length.saturating_add(request.tokens).min(context);
    let sizes = session.sizes().clone().with(Symbol::BATCH, 1);
    session.resize(&sizes.with(Symbol::SEQUENCE, length as i64).with(Symbol::CAPACITY, capacity as i64))?;
    let mut position = 0;
    let mut next = request.prompt.to_vec();
    for index in 0..request.tokens {
        if position == context {
            return Ok(Stop::Context);
        }
        let logits = decode(graph, session, ids, &next, position)?;
        position += next.len() as u64;
        let token = request.sampling.pick(&logits, index)?;
        if request.end == Some(token) {
            return Ok(Stop::EndOfDocument);
        }
        each(token)?;
        next = vec![token];
    }
    Ok(Stop::Length)
}

/// The input that takes token ids, and how many.
pub(crate) fn token_input(model: &Model) -> Result<(&str, u64)> {
    let ids = model.inputs.iter().find_map(|input| match input.kind {
        InputKind::TokenIds { context } => Some((input.name.as_str(), context as u64)),
        InputKind::Image { .. } | InputKind::Class { .. } | InputKind::Tensor { .. } => None,
    });
    let none = || Failure::mistake(format!("model `{}` takes no tokens, so it cannot generate any", model.name));
    ids.ok_or_else(none)
}

/// The logits after `tokens`, which stand from `position` on.
pub(crate) fn decode(
    graph: &Graph,
    session: &mut dyn Session,
    ids: &str,
    tokens: &[u32],
    position: u64,
) -> Result<Vec<f64>> {
    let length = tokens.len();
    let whole = |name: &str, shape: Vec<usize>, data: Vec<i32>| (name.to_string(), HostTensor::I32 { shape, data });
    let first = position as i32;
    let offered = [
        whole(ids, vec![1, length], tokens.iter().map(|id| *id as i32).collect()),
        whole("position", Vec::new(), vec![first]),
        whole("positions", vec![length], (first..first + length as i32).collect()),
    ];
    let wanted = |(name, _): &Named| graph.inputs.iter().any(|input| input.name == *name);
    let inputs: Vec<Named> = offered.into_iter().filter(wanted).collect();
    let outputs = session.run("decode", &[(Symbol::BATCH, 1), (Symbol::SEQUENCE, length as i64)], &inputs)?;
    let logits = outputs.iter().find(|(name, _)| name == "logits");
    let missing = || Failure::new(Kind::Machine, "the device handed back no `logits`; this is a bug in tfc");
    logits.map(|(_, tensor)| tensor.to_f64()).ok_or_else(missing)
}
