//! The growth prover: what a change of the numbers of parameter tokens does to the function a graph computes, and whether the
//! new tokens can learn.
//!
//! It walks the graph once, on one symbolic fact per value, and knows operations, not layers: a user's own variant of Pattention
//! is as provable as the library's. A fact has two halves ([`fact`]). The *kept* half compares the elements at old indices with the
//! same elements before the growth: the same, scaled by a known factor, or changed for a reason. The *fresh* half says what
//! stands at the new indices of each growing axis of the grown model: a number, equal copies of old slices, or anything.
//!
//! - Everything is exact algebra: rounding is not modelled. What only an `eps` under a norm or a noise of copies changes is nearly
//!   preserved.
//! - The kept half never looks at values, so a change is reported even where particular weights would hide it.
//! - Composites (`softmax`, `l2_normalize`) have rules of their own; expanded graphs are understood, with plainer reasons.

mod because;
mod choices;
mod fact;
mod growing;
mod layout;
mod learning;
mod pointwise;
mod rows;
mod sign;
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
    /// Every output is nearly what it was.
    NearlyPreserves {
        because: String,
        at: Option<Span>,
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
    if let Some(path) = &growing.pruned {
        return Verdict::Changes { because: format!("tokens of `{path}` are taken away"), at: None };
    }
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
    match reasons.into_iter().next() {
        Some(Reason { text: because, at, proven: true }) => {
            Verdict::Changes { because, at: graph.node(at).origin.span }
        }
        Some(Reason { text: because, at, proven: false }) => {
            Verdict::Unproven { because, at: graph.node(at).origin.span }
        }
        None => preserved(&walk),
    }
}

/// No output changed, if `eps` and noise are nothing.
fn preserved(walk: &walk::Walk) -> Verdict {
    let noise = walk.growing.noise;
    if noise != 0.0 {
        return Verdict::NearlyPreserves { because: format!("up to the noise of {} %", 100.0 * noise), at: None };
    }
    match &walk.small {
        Some(Reason { text, at, .. }) => {
            Verdict::NearlyPreserves { because: text.clone(), at: walk.graph.node(*at).origin.span }
        }
        None => Verdict::Preserves { because: because::sentence(&walk.steps) },
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Verdict::Preserves { because } => write!(f, "preserves the function, because {because}"),
            Verdict::NearlyPreserves { because, .. } => write!(f, "nearly preserves the function: {because}"),
            Verdict::Changes { because, .. } => write!(f, "changes it: {because}"),
            Verdict::Unproven { because, .. } => write!(f, "not proven to preserve it: {because}"),
        }
    }
}
