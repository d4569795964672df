//! Decoding: tokens one at a time, each the likeliest, after a prompt.

use super::{begin, positions};
use crate::device::Session;
use crate::generate::{Decoder, Sampling};
use crate::random::{Purpose, Stream};
use crate::{Failure, Result};
use tfc_compiler::compiled::Compiled;
use tfc_compiler::model::Model;
use tfc_compiler::size::Symbol;

/// The most tokens of the prompt, and after it.
const PROMPT: u64 = 128;
const TOKENS: u64 = 64;

pub struct Decoding<'a> {
    decoder: Decoder<'a>,
    prompt: Vec<u32>,
    tokens: u64,
    /// The likeliest token after what has been seen.
    next: u32,
}

impl<'a> Decoding<'a> {
    /// One text, at the sizes of a stage.
    ///
    /// # Errors
    /// The model takes no tokens, its context is too short for a prompt and a token, or there is too little memory.
    pub fn new(compiled: &'a Compiled, session: &mut dyn Session, stage: usize) -> Result<Decoding<'a>> {
        Decoding::of(compiled, session, stage, (PROMPT, TOKENS))
    }

    /// The same with at most so many tokens of a prompt, and after it.
    ///
    /// # Errors
    /// As [`Decoding::new`].
    pub fn of(
        compiled: &'a Compiled,
        session: &mut dyn Session,
        stage: usize,
        (prompt, tokens): (u64, u64),
    ) -> Result<Decoding<'a>> {
        let model = &compiled.model;
        begin(model, session, stage, 1)?;
        let [prompt, tokens] = within(model, [prompt, tokens]);
        if prompt == 0 {
            return Err(Failure::mistake("a context of 1 leaves nothing to decode"));
        }
        let capacity = (prompt + tokens) as i64;
        let sizes = session.sizes().clone().with(Symbol::SEQUENCE, prompt as i64).with(Symbol::CAPACITY, capacity);
        session.resize(&sizes)?;
        let vocabulary = model.vocabulary(&sizes).map_or(1, |vocabulary| vocabulary.size.max(1) as u64);
        let stream = Stream::new(0, Purpose::DataOrder, "prompt", 0);
        let prompt = (0..prompt).map(|i| stream.below(i, vocabulary) as u32).collect();
        Ok(Decoding { decoder: Decoder::new(compiled, &sizes)?, prompt, tokens, next: 0 })
    }

    /// How many tokens [`Decoding::new`] has of a prompt, and after it.
    pub fn lengths(model: &Model) -> [u64; 2] {
        within(model, [PROMPT, TOKENS])
    }

    /// How many positions a token finds in the cache, on average.
    pub fn positions(&self) -> f64 {
        self.prompt.len() as f64 + (self.tokens as f64 + 1.0) / 2.0
    }

    fn see(&mut self, session: &mut dyn Session, tokens: &[u32], position: u64) -> Result<()> {
        let logits = self.decoder.logits(session, &[tokens], position)?;
        self.next = Sampling::GREEDY.pick(&logits[0], &[])?;
        Ok(())
    }

    pub(super) fn see_prompt(&mut self, session: &mut dyn Session) -> Result<()> {
        let prompt = self.prompt.clone();
        self.see(session, &prompt, 0)
    }

    pub(super) fn run(&mut self, session: &mut dyn Session) -> Result<()> {
        let prompt = self.prompt.len() as u64;
        (prompt..prompt + self.tokens).try_for_each(|position| self.see(session, &[self.next], position))
    }

    pub(super) fn tokens(&self) -> u64 {
        self.tokens
    }
}

/// So many tokens of a prompt and after it, as far as the context has room for them: half of it is left.
fn within(model: &Model, [prompt, tokens]: [u64; 2]) -> [u64; 2] {
    let context = positions(model);
    let prompt = prompt.min(context / 2);
    [prompt, tokens.min(context - prompt)]
}
