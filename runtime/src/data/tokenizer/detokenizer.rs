//! Text from ids as they come: a character is held back until all its bytes are there.

use super::Tokenizer;
use crate::Result;

/// Turns ids into text, piece by piece. The pieces together are what [`Tokenizer::decode`] makes of all ids of a document.
pub struct Detokenizer<'a> {
    tokenizer: &'a Tokenizer,
    /// The token that ends a document. What follows it begins anew.
    end: Option<u32>,
    /// The last ids. What an id reads depends on its neighbours: those before are decoded along to give them.
    ids: Vec<u32>,
    /// The text of `ids`.
    text: String,
    /// How many bytes of `text` are handed on.
    shown: usize,
}

/// How many ids are decoded along, at least: those of what is held back, at most three times three bytes, and of a character before
/// it that was cut.
const CONTEXT: usize = 12;

impl<'a> Detokenizer<'a> {
    /// For ids that follow those of `before`, whose text is there already. `end` is the token that ends a document.
    pub fn new(tokenizer: &'a Tokenizer, end: Option<u32>, before: &[u32]) -> Result<Self> {
        let document = before.rsplit(|id| Some(*id) == end).next().unwrap_or_default();
        let ids = document[document.len().saturating_sub(CONTEXT)..].to_vec();
        let text = tokenizer.decode(&ids)?;
        let shown = text.len();
        Ok(Detokenizer { tokenizer, end, ids, text, shown })
    }

    /// The text that `id` completes; empty while a character is incomplete.
    pub fn push(&mut self, id: u32) -> Result<String> {
        self.ids.push(id);
        let text = self.tokenizer.decode(&self.ids)?;
        let is_end = Some(id) == self.end;
        let settled = if is_end { text.len() } else { settled(&text) };
        // Bytes before `id` may have become a character with it.
        let same = alike(&text, &self.text[..self.shown]);
        self.shown = settled.max(same);
        self.text = text;
        let new = self.text[same..self.shown].to_string();
        if is_end {
            self.forget(self.ids.len())?;
        } else if self.ids.len() > 2 * CONTEXT {
            self.forget(CONTEXT)?;
        }
        Ok(new)
    }

    /// The text of `id` by itself, if it came next. A part of a character reads U+FFFD.
    pub fn peek(&self, id: u32) -> Result<String> {
        let text = self.tokenizer.decode(&[&self.ids[..], &[id]].concat())?;
        match text.strip_prefix(&self.text) {
            Some(new) if !new.is_empty() => Ok(new.to_string()),
            _ => self.tokenizer.decode(&[id]),
        }
    }

    /// What is still held back when no more ids come.
    pub fn finish(self) -> String {
        self.text[self.shown..].to_string()
    }

    /// Leaves out the first ids; what is held back stays.
    fn forget(&mut self, ids: usize) -> Result<()> {
        self.ids.drain(..ids);
        let text = self.tokenizer.decode(&self.ids)?;
        self.shown = text.strip_suffix(&self.text[self.shown..]).unwrap_or(&text).len();
        self.text = text;
        Ok(())
    }
}

/// How many bytes of a text stay as they are, whatever follows: all but the last three that are no part of a character, as many as a
/// character can lack its last byte of.
fn settled(text: &str) -> usize {
    let shorter = |text: &'_ str| text.strip_suffix(char::REPLACEMENT_CHARACTER).unwrap_or(text).len();
    (0..3).fold(text.len(), |settled, _| shorter(&text[..settled]))
}

/// How many bytes of whole characters two texts begin with alike.
fn alike(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}
