//! The proofs of a whole experiment: each stage's growth, and the diagnostics that follow.

use super::{Growing, Learning, Verdict, learning, preservation};
use crate::graph::Graph;
use crate::model::{Growth, Model, Parameter, Role, Stage};
use std::collections::BTreeSet;
use tfc_grammar::{Code, Diagnostic};

/// What is known of the growth into one stage.
#[derive(Clone, Debug, PartialEq)]
pub struct GrowthProof {
    pub verdict: Verdict,
    pub learning: Learning,
}

/// The proof of each stage's growth (None where it has none), and what is wrong with it. `evaluate` and `gradient` are the graphs
/// of these entries, before or after any passes.
pub fn prove(model: &Model, evaluate: &Graph, gradient: &Graph) -> (Vec<Option<GrowthProof>>, Vec<Diagnostic>) {
    let proof = |stage: usize| {
        let growing = Growing::into_stage(model, stage)?;
        Some(GrowthProof { verdict: preservation(evaluate, &growing), learning: learning(gradient, &growing) })
    };
    let stages = &model.experiment.stages;
    let proofs: Vec<Option<GrowthProof>> = (0..stages.len()).map(proof).collect();
    let diagnostics = stages.iter().zip(&proofs).flat_map(|(stage, proof)| match (&stage.growth, proof) {
        (Some(growth), Some(proof)) => diagnose(model, stage, growth, proof),
        (None, _) | (_, None) => Vec::new(),
    });
    let diagnostics = diagnostics.collect();
    (proofs, diagnostics)
}

fn diagnose(model: &Model, stage: &Stage, growth: &Growth, proof: &GrowthProof) -> Vec<Diagnostic> {
    let GrowthProof { verdict, learning } = proof;
    let never = (!learning.never.is_empty()).then(|| never_learns(model, stage, growth, &learning.never));
    let alike = (!learning.as_copies.is_empty() && !growth.keep_optimizer).then(|| {
        let message = format!("the copies that stage \"{}\" makes stay equal", stage.name);
        Diagnostic::new(Code::CopiesNeverPart, message)
            .at(growth.span, "equal tokens, equal gradients, equal moments")
            .help("keep the moments, `optimizer = keep`, or add noise: `init = split(noise = 1%)`")
    });
    let changed = match (&growth.expect, verdict) {
        (Some(expect), Verdict::Changes { because, at }) => {
            let message = format!("stage \"{}\" does not preserve the function", stage.name);
            let diagnostic = Diagnostic::new(Code::NotPreserved, message).at(expect.span, "expected here");
            let diagnostic = diagnostic.note(format!("growth changes it: {because}"));
            Some(at.iter().fold(diagnostic, |diagnostic, at| diagnostic.see(*at, "changes here first")))
        }
        (Some(_), Verdict::Preserves { .. } | Verdict::NearlyPreserves { .. } | Verdict::Unproven { .. })
        | (None, _) => None,
    };
    never.into_iter().chain(alike).chain(changed).collect()
}

fn never_learns(model: &Model, stage: &Stage, growth: &Growth, stuck: &[u32]) -> Diagnostic {
    let parameters: Vec<&Parameter> = stuck.iter().map(|index| &model.parameters[*index as usize]).collect();
    let roles: BTreeSet<Role> = parameters.iter().map(|parameter| parameter.role).collect();
    let why = if roles.contains(&Role::Keys) && roles.contains(&Role::Values) {
        "keys and values are both zero"
    } else {
        "their gradient is zero"
    };
    let paths: Vec<&str> = parameters.iter().take(2).map(|parameter| parameter.path.as_str()).collect();
    let rest = match parameters.len().saturating_sub(paths.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Diagnostic::new(Code::NeverLearns, format!("new tokens can never learn: {why}"))
        .at(growth.span, format!("stage \"{}\" grows", stage.name))
        .note(format!("the new rows of {}{rest} stay as they are", paths.join(", ")))
        .help("draw one of the two: `init = (keys = zero, values = normal(0.02))`")
}
