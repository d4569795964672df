//! A part cut into sequences, and batches of them.

use super::Part;
use crate::data::Order;
use crate::{Failure, Result};

/// The sequences of a part, drawn in some order, epoch after epoch.
///
/// In order, sequence i starts at token i · context. Shuffled, all starts of an epoch are shifted by a number below
/// context that differs from epoch to epoch, so that the same text is cut elsewhere each time; at most two contexts of
/// tokens are left out. No token is an input twice in an epoch.
pub struct Sequences {
    part: Part,
    context: u64,
    order: Order,
}

/// Sequences of context + 1 tokens: inputs are all but the last of each, targets all but the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBatch {
    /// [rows, context + 1], row by row.
    pub ids: Vec<i32>,
    pub rows: usize,
    /// If documents are separate, [rows, context + 1]: where in its row the document of each token starts. A token attends
    /// to its row from there on, and its position counts from there. The first token of a document is all the same what the
    /// last of the one before should predict.
    pub document_starts: Option<Vec<i32>>,
}

impl Sequences {
    /// An error if the part is shorter than one sequence. `context` is at least 1.
    pub fn new(part: Part, context: usize, order: Order) -> Result<Self> {
        let context = context as u64;
        if part.tokens() > context {
            return Ok(Sequences { part, context, order });
        }
        let (path, tokens) = (part.corpus().path().display(), part.tokens());
        let why = format!("`{path}` has {tokens} tokens, but a sequence of context {context} needs {}", context + 1);
        Err(Failure::mistake(format!("{why}; name more text or make `context` smaller")))
    }

    /// How many sequences there are in an epoch.
    pub fn per_epoch(&self) -> u64 {
        let fitting = (self.part.tokens() - 1) / self.context;
        match self.order {
            Order::InOrder => fitting,
            // One less, to have room for any shift.
            Order::Shuffled { .. } => fitting.saturating_sub(1).max(1),
        }
    }

    pub fn part(&self) -> &Part {
        &self.part
    }

    /// The `rows` sequences after the first `cursor` ones: the next cursor is `cursor + rows`.
    pub fn batch(&self, cursor: u64, rows: usize) -> Result<TokenBatch> {
        let length = self.context + 1;
        let mut ids = Vec::with_capacity(rows * length as usize);
        let mut document_starts = Vec::new();
        for cursor in cursor..cursor + rows as u64 {
            self.part.read(self.start(cursor), length, &mut ids, &mut document_starts)?;
        }
        let document_starts = self.part.separate().then_some(document_starts);
        Ok(TokenBatch { ids, rows, document_starts })
    }

    /// Where in the part the sequence at a cursor starts.
    fn start(&self, cursor: u64) -> u64 {
        let per_epoch = self.per_epoch();
        let draw = self.order.draw(cursor, per_epoch);
        let spare = self.part.tokens() - 1 - per_epoch * self.context;
        self.order.shift(draw.epoch, self.context.min(spare + 1)) + draw.item * self.context
    }
}
