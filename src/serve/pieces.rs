//! The text of a choice and the likelihoods of its tokens, as OpenAI lists them.

use super::protocol::Logprobs;
use std::collections::BTreeMap;
use tfc_runtime::Result;
use tfc_runtime::data::{Detokenizer, Tokenizer};
use tfc_runtime::generate::Likelihood;

/// Knows how far the tokens of one choice have come.
pub struct Transcript<'a> {
    text: Detokenizer<'a>,
    /// In characters.
    offset: usize,
}

impl<'a> Transcript<'a> {
    /// Of a text that follows the tokens `before`, which are no part of it. `end` is the token that ends a document.
    pub fn new(tokenizer: &'a Tokenizer, end: Option<u32>, before: &[u32]) -> Result<Transcript<'a>> {
        Ok(Transcript { text: Detokenizer::new(tokenizer, end, before)?, offset: 0 })
    }

    /// What a token adds to the text.
    pub fn push(&mut self, token: u32) -> Result<String> {
        let text = self.text.push(token)?;
        self.offset += text.chars().count();
        Ok(text)
    }

    /// What is left of the text.
    pub fn finish(self) -> String {
        self.text.held().to_string()
    }

    /// The entry of a token of which nothing is known but what it is, before it is pushed: a prompt's first.
    pub fn first(&self, token: u32) -> Result<Logprobs> {
        self.entry(token, None, None)
    }

    /// The entry of a token that follows others, before it is pushed, with the likeliest ones and itself.
    pub fn next(&self, likelihood: &Likelihood) -> Result<Logprobs> {
        let itself = (likelihood.token, likelihood.ln_p);
        let mut likeliest: BTreeMap<String, f64> = BTreeMap::new();
        for (token, ln_p) in likelihood.likeliest.iter().chain([&itself]) {
            // Parts of characters read the same: the likeliest of them stands for all.
            let known = likeliest.entry(self.text.peek(*token)?).or_insert(*ln_p);
            *known = known.max(*ln_p);
        }
        self.entry(likelihood.token, Some(likelihood.ln_p), Some(likeliest))
    }

    fn entry(&self, token: u32, ln_p: Option<f64>, likeliest: Option<BTreeMap<String, f64>>) -> Result<Logprobs> {
        let text = self.text.peek(token)?;
        // A part of a character may go on with what is held back, anything else follows it.
        let follows = text.starts_with(|first| first != char::REPLACEMENT_CHARACTER);
        let held = if follows { self.text.held().chars().count() } else { 0 };
        Ok(Logprobs {
            tokens: vec![text],
            token_logprobs: vec![ln_p],
            top_logprobs: vec![likeliest],
            text_offset: vec![self.offset + held],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A character begins where it stands in the text, however many tokens it is.
    #[test]
    fn offsets_are_in_characters() {
        let bytes = Tokenizer::bytes();
        let said = |before: &str, text: &[u8]| -> Vec<(String, usize)> {
            let before: Vec<u32> = before.bytes().map(u32::from).collect();
            let mut transcript = Transcript::new(&bytes, None, &before).unwrap();
            let mut entry = |token| {
                let entry = transcript.first(token).unwrap();
                transcript.push(token).unwrap();
                (entry.tokens.concat(), entry.text_offset[0])
            };
            text.iter().map(|byte| entry(u32::from(*byte))).collect()
        };
        let part = "\u{FFFD}";
        let expected = [(part, 0), (part, 0), (part, 0), (part, 1), (part, 1), (part, 1), (" ", 2), ("t", 3)];
        assert_eq!(said("", "日本 t".as_bytes()), expected.map(|(text, offset)| (text.to_string(), offset)));
        assert_eq!(said("日本", b" t"), [(" ".to_string(), 0), ("t".to_string(), 1)]);
        // What never becomes a character has its place too.
        let expected = [(part, 0), ("a", 1), ("b", 2), ("c", 3)];
        assert_eq!(said("", b"\xE6abc"), expected.map(|(text, offset)| (text.to_string(), offset)));
    }
}
