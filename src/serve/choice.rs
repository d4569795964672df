//! One text of an answer, from its tokens to the pieces that are sent.

use super::pieces::Transcript;
use super::protocol::{Asked, Piece};
use super::stops::Watch;
use tfc_runtime::Result;
use tfc_runtime::data::Tokenizer;
use tfc_runtime::generate::{Drawn, Likelihood, Scored, Stop};

pub struct Choice<'a> {
    index: usize,
    /// How many of the likeliest tokens are listed; None: no likelihoods are.
    listed: Option<usize>,
    transcript: Transcript<'a>,
    watch: Watch,
}

impl<'a> Choice<'a> {
    /// A text that follows the tokens `before`. `end` is the token that ends a document.
    pub fn new(
        index: usize,
        asked: &Asked,
        tokenizer: &'a Tokenizer,
        end: Option<u32>,
        before: &[u32],
    ) -> Result<Choice<'a>> {
        let transcript = Transcript::new(tokenizer, end, before)?;
        Ok(Choice { index, listed: asked.logprobs, transcript, watch: Watch::new(asked.stops()) })
    }

    /// The prompt itself as the text's beginning, with its likelihoods where they were computed.
    pub fn echo(&mut self, prompt: &[u32], scored: Option<&Scored>) -> Result<Piece> {
        let mut piece = self.piece();
        for (i, token) in prompt.iter().enumerate() {
            let logprobs = match (scored, i) {
                (None, _) => None,
                (Some(_), 0) => Some(self.transcript.first(*token)?),
                (Some(scored), _) => Some(self.transcript.next(&scored.tokens[i - 1])?),
            };
            piece.extend(Piece { text: self.transcript.push(*token)?, logprobs, ..Piece::default() });
        }
        Ok(piece)
    }

    /// A token that was drawn, and whether it ends the text. The end of a document has a likelihood, but no text.
    pub fn take(&mut self, drawn: Drawn<'_>) -> Result<(Piece, bool)> {
        let mut piece = self.piece();
        if let Some(listed) = self.listed {
            piece.logprobs = Some(self.transcript.next(&Likelihood::of(drawn.token, drawn.logits, listed))?);
        }
        let text = if drawn.is_end { String::new() } else { self.transcript.push(drawn.token)? };
        let (text, ends) = self.watch.push(&text);
        piece.text = text;
        Ok((piece, ends))
    }

    /// What is left of the text, and why it ends.
    pub fn finish(mut self, stop: Stop) -> Piece {
        let mut piece = self.piece();
        let mut ends = stop != Stop::Length;
        if stop != Stop::Enough {
            let (text, stopped) = self.watch.push(&self.transcript.finish());
            piece.text = text;
            if !stopped {
                piece.text += &self.watch.finish();
            }
            ends |= stopped;
        }
        piece.finish_reason = Some(if ends { "stop" } else { "length" });
        piece
    }

    fn piece(&self) -> Piece {
        Piece { index: self.index, ..Piece::default() }
    }
}
