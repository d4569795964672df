//! The likelihoods of a choice's tokens, as OpenAI lists them.

use super::protocol::Logprobs;
use std::collections::BTreeMap;
use tfc_runtime::Result;
use tfc_runtime::data::Tokenizer;
use tfc_runtime::generate::Likelihood;

/// Knows how far the tokens of one choice have come.
pub struct Transcript<'a> {
    tokenizer: &'a Tokenizer,
    /// In characters.
    offset: usize,
}

impl<'a> Transcript<'a> {
    pub fn new(tokenizer: &'a Tokenizer) -> Transcript<'a> {
        Transcript { tokenizer, offset: 0 }
    }

    /// The entry of a token of which nothing is known but what it is: a prompt's first.
    pub fn first(&mut self, token: u32) -> Result<Logprobs> {
        self.entry(token, None, None)
    }

    /// The entry of a token that follows others, with the likeliest ones and itself.
    pub fn next(&mut self, likelihood: &Likelihood) -> Result<Logprobs> {
        let itself = (likelihood.token, likelihood.ln_p);
        let mut likeliest: BTreeMap<String, f64> = BTreeMap::new();
        for (token, ln_p) in likelihood.likeliest.iter().chain([&itself]) {
            // Parts of characters read the same: the likeliest of them stands for all.
            let known = likeliest.entry(self.tokenizer.decode(&[*token])?).or_insert(*ln_p);
            *known = known.max(*ln_p);
        }
        self.entry(likelihood.token, Some(likelihood.ln_p), Some(likeliest))
    }

    fn entry(&mut self, token: u32, ln_p: Option<f64>, likeliest: Option<BTreeMap<String, f64>>) -> Result<Logprobs> {
        let text = self.tokenizer.decode(&[token])?;
        let offset = self.offset;
        self.offset += text.chars().count();
        Ok(Logprobs {
            tokens: vec![text],
            token_logprobs: vec![ln_p],
            top_logprobs: vec![likeliest],
            text_offset: vec![offset],
        })
    }
}
