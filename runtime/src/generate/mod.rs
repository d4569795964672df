//! Generation: the prompt in one call, then a token at a time with a key/value cache.
//!
//! Generation ends where the document does, or after as many tokens as were asked for. Positions beyond the context were never trained:
//! when it is full the window slides, and its latter half is taken up again as if the text began there. Halves, because everything in
//! the window is computed anew: its positions have changed.

mod likelihood;
mod sample;
mod score;
mod side_by_side;
mod text;

pub use likelihood::Likelihood;
pub use sample::Sampling;
pub use score::{Scored, score};
pub use side_by_side::{Drawn, Taker, generate_side_by_side};
pub use text::{Writer, end_of_document, generate_text};

#[cfg(test)]
mod tests;

use crate::device::{HostTensor, Named, Session};
use crate::{Failure, Kind, Result};
use std::ops::ControlFlow;
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
    /// Whoever took the tokens wanted no more.
    Enough,
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
    let mut each = |_, drawn: Drawn<'_>| {
        let handed_on = if drawn.is_end { Ok(()) } else { each(drawn.token) };
        handed_on.map(ControlFlow::Continue)
    };
    Ok(generate_side_by_side(compiled, session, &[request], &mut each)?[0])
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

/// For each row the logits after its tokens. All rows are of one length and stand from `position` on.
pub(crate) fn decode(
    graph: &Graph,
    session: &mut dyn Session,
    ids: &str,
    rows: &[&[u32]],
    position: u64,
) -> Result<Vec<Vec<f64>>> {
    let (batch, length) = (rows.len(), rows[0].len());
    let whole = |name: &str, shape: Vec<usize>, data: Vec<i32>| (name.to_string(), HostTensor::I32 { shape, data });
    let first = position as i32;
    let offered = [
        whole(ids, vec![batch, length], rows.concat().iter().map(|id| *id as i32).collect()),
        whole("position", Vec::new(), vec![first]),
        whole("positions", vec![length], (first..first + length as i32).collect()),
    ];
    let wanted = |(name, _): &Named| graph.inputs.iter().any(|input| input.name == *name);
    let inputs: Vec<Named> = offered.into_iter().filter(wanted).collect();
    let call = [(Symbol::BATCH, batch as i64), (Symbol::SEQUENCE, length as i64)];
    let outputs = session.run("decode", &call, &inputs)?;
    let logits = outputs.iter().find(|(name, _)| name == "logits");
    let missing = || Failure::new(Kind::Machine, "the device handed back no `logits`; this is a bug in tfc");
    let logits = logits.map(|(_, tensor)| tensor.to_f64()).ok_or_else(missing)?;
    Ok(logits.chunks(logits.len() / batch).map(<[f64]>::to_vec).collect())
}
