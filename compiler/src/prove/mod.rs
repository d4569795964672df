//! The growth prover: what a change of the numbers of parameter tokens does to the function a graph computes, and whether the
//! new tokens can learn.
//!
//! It walks the graph once, on one symbolic fact per value, and knows operations, not layers: a user's own variant of Pattention
//! is as provable as the library's. A fact has two halves ([`fact`]). The *kept* half compares the elements at old indices with the
//! same elements before the growth: the same, scaled by a known factor, or changed for a reason. The *fresh* half says what
//! stands at the new indices of each growing axis of the grown model: a number, equal copies of old slices, or anything.
//!
//! - Everything is exact algebra: rounding is not modelled, and a positive `eps` under a norm is a change if the norm changes.
//! - The kept half never looks at values, so a change is reported even where particular weights would hide it.
//! - Composites (`softmax`, `l2_normalize`) have rules of their own; expanded graphs are understood, with plainer reasons.

mod because;
mod fact;
mod growing;
mod layout;
mod learning;
mod pointwise;
mod rows;
mod stages;
mod sums;
#[cfg(test)]
mod tests;
mod walk;

pub use growing::{Growing, NewRows, ScaleChange};
pub use learning::{Learning, learning};
pub use stages::{GrowthProof, prove};

use crate::graph::Graph;
use fact::{Kept, Reason};
use tfc_grammar::span::Span;

/// What growth does to the function.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Every output of the graph is what it was, up to rounding.
    Preserves {
        because: String,
    },
    Changes {
        because: String,
        at: Option<Span>,
    },
    /// The prover cannot tell; and what it does not follow.
    Unproven {
        because: String,
        at: Option<Span>,
    },
}

/// What growth does to the outputs of `graph`: an entry without randomness, such as `evaluate`.
pub fn preservation(graph: &Graph, growing: &Growing) -> Verdict {
    let walk = walk::Walk::new(graph, growing);
    let mut reasons: Vec<Reason> = graph
        .outputs
        .iter()
        .filter_map(|output| match &walk.fact(output.value).kept {
            Kept::Same => None,
            Kept::Scaled { why, .. } | Kept::Changed(why) => Some(why.clone()),
        })
        .collect();
    reasons.sort_by_key(|reason| (!reason.proven, reason.at));
    let Some(Reason { text: because, at, proven }) = reasons.into_iter().next() else {
        return Verdict::Preserves { because: because::sentence(&walk.steps) };
    };
    let at = graph.node(at).origin.span;
    if proven { Verdict::Changes { because, at } } else { Verdict::Unproven { because, at } }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Verdict::Preserves { because } => write!(f, "preserves the function, because {because}"),
            Verdict::Changes { because, .. } => write!(f, "changes it: {because}"),
            Verdict::Unproven { because, .. } => write!(f, "not proven to preserve it: {because}"),
        }
    }
}
