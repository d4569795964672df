//! Text from ids as they come: a character is held back until all its bytes are there.

use super::Tokenizer;
use crate::Result;

/// Turns ids into text, piece by piece. The pieces together are what [`Tokenizer::decode`] makes of all ids of a document, but for a run of bytes of
/// which a part was handed on before it broke.
pub struct Detokenizer<'a> {
    tokenizer: &'a Tokenizer,
    /// The token that ends a document. What follows it begins anew.
    end: Option<u32>,
    /// The last ids. What an id reads depends on its neighbours: those before are decoded along to give them.
    ids: Vec<u32>,
    /// The text of `ids`.
    text: String,
    /// What of it is handed on. `text` begins with it, but for a run of bytes that ends within a character: with `ByteFallback` all
    /// characters of such a run read U+FFFD until the last one is complete.
    shown: String,
}

/// How many ids are decoded along, at least: those of what is held back, at most three times three bytes, and of a character before
/// it that was cut.
const CONTEXT: usize = 12;

impl<'a> Detokenizer<'a> {
    /// For ids that follow those of `before`, whose text is there already. `end` is the token that ends a document.
    pub fn new(tokenizer: &'a Tokenizer, end: Option<u32>, before: &[u32]) -> Result<Self> {
        let ids = before.rsplit(|id| Some(*id) == end).next().unwrap_or_default().to_vec();
        let text = tokenizer.decode(&ids)?;
        let shown = text.clone();
        let mut detokenizer = Detokenizer { tokenizer, end, ids, text, shown };
        detokenizer.forget()?;
        detokenizer.take_whole_characters()?;
        Ok(detokenizer)
    }

    /// Where a run of bytes ends within a character, what was there already are the characters before it.
    fn take_whole_characters(&mut self) -> Result<()> {
        for part in 1..=self.ids.len().min(3) {
            let whole = self.tokenizer.decode(&self.ids[..self.ids.len() - part])?;
            if !whole.ends_with(char::REPLACEMENT_CHARACTER) {
                // Elsewhere the part of a character reads U+FFFD behind them, and that was there, too.
                if !self.text.starts_with(&whole) {
                    self.shown = whole;
                }
                break;
            }
        }
        Ok(())
    }

    /// The text that `id` completes; empty while a character is incomplete.
    pub fn push(&mut self, id: u32) -> Result<String> {
        self.ids.push(id);
        self.text = self.tokenizer.decode(&self.ids)?;
        let is_end = Some(id) == self.end;
        let is_part = !self.text.starts_with(&self.shown) && self.text.ends_with(char::REPLACEMENT_CHARACTER);
        // A run that never becomes text again is not waited for.
        if is_part && !is_end && self.ids.len() < 3 * CONTEXT {
            return Ok(String::new());
        }
        let settled = if is_end { self.text.len() } else { settled(&self.text) };
        let from = self.held_from();
        let shown = &self.text[..settled.max(from)];
        self.shown = shown.to_string();
        let new = shown[from..].to_string();
        if is_end {
            self.ids.clear();
            self.text.clear();
            self.shown.clear();
        } else if self.ids.len() > 2 * CONTEXT {
            self.forget()?;
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

    /// What is held back: the rest when no more ids come.
    pub fn held(&self) -> &str {
        &self.text[self.held_from()..]
    }

    /// Where in `text` begins what is not handed on.
    fn held_from(&self) -> usize {
        // Bytes handed on may have become a character since.
        let same = alike(&self.text, &self.shown);
        if same == self.shown.len() {
            return same;
        }
        // In a broken run what is handed on reads U+FFFD now. It is not repeated: one stands for what broke the run.
        self.text.rfind(char::REPLACEMENT_CHARACTER).map_or(same, |last| last.max(same))
    }

    /// Leaves out the first ids, but for some [`CONTEXT`]; what is held back stays.
    fn forget(&mut self) -> Result<()> {
        let held = &self.text[self.shown.len()..];
        let most = self.ids.len().saturating_sub(CONTEXT);
        let least = most.saturating_sub(CONTEXT);
        for cut in (least..=most).rev() {
            let text = self.tokenizer.decode(&self.ids[cut..])?;
            // With a cut inside a character its whole run may read U+FFFD. Some texts change with any cut.
            if self.text.ends_with(&text) && text.ends_with(held) || cut == least {
                self.shown = text.strip_suffix(held).unwrap_or(&text).to_string();
                self.text = text;
                self.ids.drain(..cut);
                break;
            }
        }
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
