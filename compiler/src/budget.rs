//! What a training does to stay within a budget of memory: how many sequences go through the model at once, and what the backward part
//! computes again instead of keeping it ([`crate::recompute`]). Both are decided together, by the time that they are predicted to take, as a
//! function of the model, the optimizations and the budget alone.
//!
//! Every micro-batch but the first reads the weights and the gradients once more and writes the gradients; what is computed again costs its
//! operations for every sequence. So a run first takes more micro-batches, and recomputes where a single sequence does not fit, or where the
//! model is so large and the sequences so short that another micro-batch would cost more.

mod bytes;
#[cfg(test)]
mod tests;

pub use bytes::{arena_bytes, bytes, call_bytes, stage_bytes};

use crate::compile::{compile_recomputing, compile_without};
use crate::compiled::{Compiled, Entry};
use crate::model::Model;
use crate::optimization::Disabled;
use crate::plan::{Plan, compile_entry};
use crate::recompute::{ladder, recompute};
use crate::size::Size;
use bytes::{bytes_of_plans, largest_sizes};

/// What a processor computes in the time in which one byte comes from memory: the order of magnitude, for predictions.
const FLOPS_PER_BYTE: f64 = 8.0;

/// How often another micro-batch touches every parameter: weights forward and backward, gradients read and written.
const TOUCHES: f64 = 4.0;

/// Kept with a run, so that it goes on as it began, whatever memory there is then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The most sequences that go through the model at once, in any stage.
    pub micro_batch: u64,
    /// The roles of values that are computed again.
    pub recomputed: Vec<String>,
}

/// No decision fits: even one sequence at a time takes `least` bytes of the `given` ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLittle {
    pub least: u64,
    pub given: u64,
    /// Whether a batch may be cut: else it is all of one that takes as much.
    pub can_be_cut: bool,
}

/// Compiles the entries of a training for a budget in bytes, and says how.
///
/// # Errors
/// Nothing fits.
pub fn decide(
    model: Model,
    entries: &[Entry],
    disabled: &Disabled,
    budget: u64,
) -> Result<(Compiled, Decision), TooLittle> {
    let whole = compile_without(model, entries, disabled);
    let trials = Trials {
        whole: &whole,
        disabled,
        batch: whole.model.largest_batch(),
        can_be_cut: whole.model.batches_can_be_cut(),
        budget,
    };
    let decision = trials.decide()?;
    if decision.recomputed.is_empty() {
        return Ok((whole, decision));
    }
    let compiled = compile_recomputing(whole.model, entries, disabled, &decision.recomputed);
    Ok((compiled, decision))
}

/// Plans of the gradient are made to see what they take; all else stays as it is.
struct Trials<'a> {
    /// Where nothing is computed again.
    whole: &'a Compiled,
    disabled: &'a Disabled,
    batch: u64,
    can_be_cut: bool,
    budget: u64,
}

impl Trials<'_> {
    fn decide(&self) -> Result<Decision, TooLittle> {
        if bytes(self.whole, self.batch) <= self.budget {
            return Ok(Decision { micro_batch: self.batch, recomputed: Vec::new() });
        }
        let graph = self.whole.graph(Entry::Gradient.name()).expect("bug in tfc: a training has a gradient");
        let mut least = u64::MAX;
        let mut best: Option<(f64, Decision)> = None;
        for rung in ladder(graph, &largest_sizes(self.whole), self.disabled) {
            let recomputing = self.batch as f64 * rung.flops;
            if best.as_ref().is_some_and(|(cost, _)| *cost <= recomputing) {
                break;
            }
            let gradients = self.gradients(&rung.recomputed);
            // Gradients lend more to a whole batch than to a part of it.
            let parts = if self.can_be_cut { [1, self.batch] } else { [self.batch; 2] };
            least = parts.into_iter().map(|rows| self.bytes(&gradients, rows)).fold(least, u64::min);
            let fits =
                |rows: u64| (self.can_be_cut || rows == self.batch) && self.bytes(&gradients, rows) <= self.budget;
            let Some(micro_batch) = most(self.batch, &fits) else { continue };
            let cost = recomputing + (self.batch.div_ceil(micro_batch) - 1) as f64 * self.micro_batch_cost();
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, Decision { micro_batch, recomputed: rung.recomputed }));
            }
        }
        let too_little = TooLittle { least, given: self.budget, can_be_cut: self.can_be_cut };
        best.map(|(_, decision)| self.sparing(decision)).ok_or(too_little)
    }

    /// Without the roles that turn out not to be needed: what one of them frees may have had a place anyway.
    fn sparing(&self, mut decision: Decision) -> Decision {
        for role in decision.recomputed.clone() {
            let fewer: Vec<String> = decision.recomputed.iter().filter(|other| **other != role).cloned().collect();
            if self.bytes(&self.gradients(&fewer), decision.micro_batch) <= self.budget {
                decision.recomputed = fewer;
            }
        }
        decision
    }

    /// The plans of the gradient if these roles are computed again.
    fn gradients(&self, recomputed: &[String]) -> Vec<Plan> {
        let mut plans = Vec::new();
        for graph in self.whole.graphs.iter().filter(|graph| is_gradient(&graph.name)) {
            let graph = recompute(graph, recomputed, self.disabled);
            for plan in self.whole.program.plans.iter().filter(|plan| plan.name == graph.name) {
                plans.extend(compile_entry(&graph, plan.precision, self.disabled).plans);
            }
        }
        plans
    }

    fn bytes(&self, gradients: &[Plan], rows: u64) -> u64 {
        let others = self.whole.program.plans.iter().filter(|plan| !is_gradient(&plan.name));
        bytes_of_plans(self.whole, &others.chain(gradients).collect::<Vec<&Plan>>(), rows)
    }

    /// What one more micro-batch costs, in operations.
    fn micro_batch_cost(&self) -> f64 {
        let sizes = largest_sizes(self.whole);
        let elements = |shape: &[Size]| Size::product(shape).eval(&sizes) as f64;
        let parameters: f64 = self.whole.model.parameters.iter().map(|parameter| elements(&parameter.shape)).sum();
        FLOPS_PER_BYTE * TOUCHES * 4.0 * parameters
    }
}

fn is_gradient(entry: &str) -> bool {
    [Entry::Gradient, Entry::AddGradient].iter().any(|gradient| gradient.name() == entry)
}

/// The most sequences, up to `batch`, that fit; of fewer than all of them, fewer take less. None where not even one fits.
fn most(batch: u64, fits: &dyn Fn(u64) -> bool) -> Option<u64> {
    if fits(batch) {
        return Some(batch);
    }
    let (mut fitting, mut above) = (0, batch);
    while fitting + 1 < above {
        let middle = fitting + (above - fitting) / 2;
        if fits(middle) { fitting = middle } else { above = middle }
    }
    (fitting > 0).then_some(fitting)
}
