//! Generation: the prompt in one call, then a token at a time with a key/value cache.
//!
//! Generation ends where the document does, or after as many tokens as were asked for. Positions beyond the context were never trained:
//! when it is full the window slides, and its latter half is taken up again as if the text began there. Halves, because everything in
//! the window is computed anew: its positions have changed.

mod decoder;
mod likelihood;
mod sample;
mod score;
mod side_by_side;
mod text;

pub(crate) use decoder::Decoder;
pub use likelihood::Likelihood;
pub use sample::Sampling;
pub use score::{Scored, named_logits, score};
pub use side_by_side::{Drawn, Taker, generate_side_by_side};
pub use text::{Writer, end_of_document, generate_text};

#[cfg(test)]
mod tests;

use crate::device::Session;
use crate::{Failure, Result};
use std::ops::ControlFlow;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::model::{InputKind, Model};

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
