//! A part of a corpus: what is trained on, or held out.

use super::Corpus;
use crate::Result;
use std::ops::Range;
use std::sync::Arc;

/// What stands between two documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Documents {
    /// These tokens after each document; attention runs across them.
    Join { end: Vec<u32> },
    /// Nothing: attention and positions start anew at each document.
    Separate,
}

/// Documents one after another, as one long row of tokens. Documents without tokens are left out.
pub struct Part {
    corpus: Arc<Corpus>,
    separate: bool,
    /// What follows each document.
    end: Vec<i32>,
    pieces: Vec<Piece>,
    tokens: u64,
}

/// A document, or what a part has of it.
struct Piece {
    /// Where it starts in the part.
    start: u64,
    /// Which tokens of the corpus it has.
    tokens: Range<u64>,
}

impl Part {
    /// All documents of a corpus.
    pub fn whole(corpus: Arc<Corpus>, documents: &Documents) -> Self {
        let ranges: Vec<_> = (0..corpus.documents()).map(|document| corpus.document(document)).collect();
        Part::new(corpus, documents, ranges)
    }

    /// The documents, or pieces of them, with these tokens.
    pub(super) fn new(
        corpus: Arc<Corpus>,
        documents: &Documents,
        ranges: impl IntoIterator<Item = Range<u64>>,
    ) -> Self {
        let (separate, end) = match documents {
            Documents::Join { end } => (false, end.iter().map(|id| id.cast_signed()).collect()),
            Documents::Separate => (true, Vec::new()),
        };
        let mut part = Part { corpus, separate, end, pieces: Vec::new(), tokens: 0 };
        for tokens in ranges.into_iter().filter(|range| !range.is_empty()) {
            let start = part.tokens;
            part.tokens += tokens.end - tokens.start + part.end.len() as u64;
            part.pieces.push(Piece { start, tokens });
        }
        part
    }

    /// How many tokens it has, end tokens included.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// How many documents it has, or pieces of them.
    pub fn documents(&self) -> u64 {
        self.pieces.len() as u64
    }

    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// Whether attention and positions start anew at each document.
    pub(super) fn separate(&self) -> bool {
        self.separate
    }

    /// Appends the `length` tokens from `start` on to `ids`, and for each of them, if documents are separate, to
    /// `document_starts` where among these tokens its document starts (0 if before them).
    pub(super) fn read(
        &self,
        start: u64,
        length: u64,
        ids: &mut Vec<i32>,
        document_starts: &mut Vec<i32>,
    ) -> Result<()> {
        let stop = start + length;
        let first = self.pieces.partition_point(|piece| piece.start <= start) - 1;
        for piece in self.pieces[first..].iter().take_while(|piece| piece.start < stop) {
            let count = piece.tokens.end - piece.tokens.start;
            // Within the piece and its end mark, from where to where?
            let [from, to] =
                [start, stop].map(|place| place.saturating_sub(piece.start).min(count + self.end.len() as u64));
            let token = |place: u64| piece.tokens.start + place.min(count);
            self.corpus.read(token(from)..token(to), ids)?;
            let mark = |place: u64| place.saturating_sub(count) as usize;
            ids.extend(&self.end[mark(from)..mark(to)]);
            if self.separate {
                let begins = piece.start.saturating_sub(start) as i32;
                document_starts.extend(std::iter::repeat_n(begins, (to - from) as usize));
            }
        }
        Ok(())
    }
}
