//! Text from ids as they come: a character is held back until all its bytes are there.

use super::Tokenizer;
use crate::Result;

/// Turns generated ids into text, piece by piece. The pieces together are what [`Tokenizer::decode`] makes of all ids.
pub struct Detokenizer<'a> {
    tokenizer: &'a Tokenizer,
    /// The ids of the last piece, then those held back. What an id reads depends on its neighbours: the piece before is
    /// decoded along to give them.
    ids: Vec<u32>,
    /// How many of `ids` are the last piece.
    shown: usize,
}

impl<'a> Detokenizer<'a> {
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Detokenizer { tokenizer, ids: Vec::new(), shown: 0 }
    }

    /// The text that `id` completes; empty while a character is incomplete.
    pub fn push(&mut self, id: u32) -> Result<String> {
        self.ids.push(id);
        let text = self.held_back()?;
        if text.is_empty() || text.ends_with(char::REPLACEMENT_CHARACTER) {
            return Ok(String::new());
        }
        self.ids.drain(..self.shown);
        self.shown = self.ids.len();
        Ok(text)
    }

    /// What is still held back when no more ids come.
    pub fn finish(self) -> Result<String> {
        self.held_back()
    }

    fn held_back(&self) -> Result<String> {
        let shown = self.tokenizer.decode(&self.ids[..self.shown])?;
        let text = self.tokenizer.decode(&self.ids)?;
        Ok(text.get(shown.len()..).unwrap_or_default().to_string())
    }
}
