//! `validate = hold_out(0.5%)`: which documents are kept from training.

use super::{Corpus, Documents, Part};
use crate::{Failure, Result};
use std::sync::Arc;

/// A corpus in two parts that have no token in common.
pub struct HeldOut {
    pub train: Part,
    pub validate: Part,
    /// Whether whole documents were held out; if not, the end of the text was.
    pub by_document: bool,
}

/// Holds out about `fraction` of a corpus, so that training and validation have a sequence of `context` + 1 tokens each.
///
/// A document is held out if the hash of its text is among the lowest `fraction` of all hashes: it does not matter which
/// other documents there are, in which order, or what the seed is, and copies of a document are on the same side. That
/// works for many documents. If there are so few that less than half or more than twice of `fraction` of the tokens would
/// be held out, the last `fraction` of the text is held out instead (at least a sequence), as people do with a single
/// book; `by_document` tells, so that the user can be told.
pub fn hold_out(corpus: &Arc<Corpus>, documents: &Documents, fraction: f64, context: usize) -> Result<HeldOut> {
    let sequence = context as u64 + 1;
    let [train, validate] = by_hash(corpus, documents, fraction);
    let share = validate.tokens() as f64 / (train.tokens() + validate.tokens()) as f64;
    let [least, most] = [fraction / 2.0, fraction * 2.0];
    if (least..=most).contains(&share) && validate.tokens() >= sequence && train.tokens() >= sequence {
        return Ok(HeldOut { train, validate, by_document: true });
    }
    let held = ((corpus.tokens() as f64 * fraction) as u64).max(sequence);
    let Some(cut) = corpus.tokens().checked_sub(held).filter(|&rest| rest >= sequence) else {
        let (path, tokens) = (corpus.path().display(), corpus.tokens());
        let why = format!("`{path}` has {tokens} tokens, too few to hold out any: with a context of {context}");
        let way_out = "name more text or a separate `validate`";
        return Err(Failure::mistake(format!("{why}, training and validation need {sequence} each; {way_out}")));
    };
    let [train, validate] = before_and_after(corpus, documents, cut);
    Ok(HeldOut { train, validate, by_document: false })
}

fn by_hash(corpus: &Arc<Corpus>, documents: &Documents, fraction: f64) -> [Part; 2] {
    let threshold = (fraction * 2f64.powi(64)) as u64;
    [false, true].map(|held_out| {
        let on_side = |&document: &u64| (corpus.document_hash(document) < threshold) == held_out;
        let ranges = (0..corpus.documents()).filter(on_side).map(|document| corpus.document(document));
        Part::new(corpus.clone(), documents, ranges)
    })
}

fn before_and_after(corpus: &Arc<Corpus>, documents: &Documents, cut: u64) -> [Part; 2] {
    [(0, cut), (cut, corpus.tokens())].map(|(from, to)| {
        let ranges = (0..corpus.documents()).map(|document| corpus.document(document));
        Part::new(corpus.clone(), documents, ranges.map(|range| range.start.max(from)..range.end.min(to)))
    })
}
