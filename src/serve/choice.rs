//! One text of an answer, from its tokens to the pieces that are sent.

use super::pieces::Transcript;
use super::protocol::{Asked, Piece};
use super::stops::Watch;
use tfc_runtime::Result;
use tfc_runtime::data::{Detokenizer, Tokenizer};
use tfc_runtime::generate::{Drawn, Likelihood, Scored, Stop};

pub struct Choice<'a> {
    index: usize,
    /// How many of the likeliest tokens are listed; None: no likelihoods are.
    listed: Option<usize>,
    transcript: Transcript<'a>,
    text: Detokenizer<'a>,
    watch: Watch,
}

impl<'a> Choice<'a> {
    pub fn new(index: usize, asked: &Asked, tokenizer: &'a Tokenizer) -> Choice<'a> {
        Choice {
            index,
            listed: asked.logprobs,
            transcript: Transcript::new(tokenizer),
            text: Detokenizer::new(tokenizer),
            watch: Watch::new(asked.stops()),
        }
    }

    /// The prompt itself, with its likelihoods where they were computed.
    pub fn echo(&mut self, prompt: &[u32], scored: Option<&Scored>, tokenizer: &Tokenizer) -> Result<Piece> {
        let mut piece = self.piece(tokenizer.decode(prompt)?);
        if let (Some(scored), [first, ..]) = (scored, prompt) {
            piece.logprobs = Some(self.transcript.first(*first)?);
            for likelihood in &scored.tokens {
                let logprobs = Some(self.transcript.next(likelihood)?);
                piece.extend(Piece { logprobs, ..Piece::default() });
            }
        }
        Ok(piece)
    }

    /// A token that was drawn, and whether it ends the text. The end of a document has a likelihood, but no text.
    pub fn take(&mut self, drawn: Drawn<'_>) -> Result<(Piece, bool)> {
        let text = if drawn.is_end { String::new() } else { self.text.push(drawn.token)? };
        let (text, ends) = self.watch.push(&text);
        let mut piece = self.piece(text);
        if let Some(listed) = self.listed {
            piece.logprobs = Some(self.transcript.next(&Likelihood::of(drawn.token, drawn.logits, listed))?);
        }
        Ok((piece, ends))
    }

    /// What is left of the text, and why it ends.
    pub fn finish(mut self, stop: Stop) -> Result<Piece> {
        let mut piece = self.piece(String::new());
        let mut ends = stop != Stop::Length;
        if stop != Stop::Enough {
            let (text, stopped) = self.watch.push(&self.text.finish()?);
            piece.text = text;
            if !stopped {
                piece.text += &self.watch.finish();
            }
            ends |= stopped;
        }
        piece.finish_reason = Some(if ends { "stop" } else { "length" });
        Ok(piece)
    }

    fn piece(&self, text: String) -> Piece {
        Piece { index: self.index, text, ..Piece::default() }
    }
}
