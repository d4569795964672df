//! The proofs of a whole experiment: each stage's growth, and the diagnostics that follow.

use super::{Growing, Learning, NewRows, Verdict, learning, preservation};
use crate::graph::{Graph, Op};
use crate::model::{Growth, Model, Parameter, Primitive, Role, Stage};
use crate::storage::Storage;
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
        let (verdict, learning) = (preservation(evaluate, &growing), learning(gradient, &growing));
        Some((growing, GrowthProof { verdict, learning }))
    };
    let stages = &model.experiment.stages;
    let proofs: Vec<Option<(Growing, GrowthProof)>> = (0..stages.len()).map(proof).collect();
    let diagnostics = stages.iter().zip(&proofs).flat_map(|(stage, proof)| match (&stage.growth, proof) {
        (Some(growth), Some((growing, proof))) => diagnose(model, stage, (growth, growing), proof, gradient),
        (None, _) | (_, None) => Vec::new(),
    });
    let diagnostics = diagnostics.collect();
    (proofs.into_iter().map(|proof| Some(proof?.1)).collect(), diagnostics)
}

fn diagnose(
    model: &Model,
    stage: &Stage,
    (growth, growing): (&Growth, &Growing),
    proof: &GrowthProof,
    gradient: &Graph,
) -> Vec<Diagnostic> {
    let GrowthProof { verdict, learning } = proof;
    let (stuck, unread): (Vec<u32>, Vec<u32>) = learning.never.iter().partition(|index| is_read(gradient, **index));
    let never = (!stuck.is_empty()).then(|| never_learns(model, stage, (growth, growing), &stuck));
    let in_vain = (!unread.is_empty()).then(|| {
        let help = "use what is computed with them, or leave it out";
        not_learning(model, stage, growth, &unread, ("the loss does not follow from them", help))
    });
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
    never.into_iter().chain(in_vain).chain(alike).chain(changed).collect()
}

/// Whether the loss follows from a parameter. The gradient loads every one, and reads no other.
fn is_read(gradient: &Graph, parameter: u32) -> bool {
    let load = Op::Load(Storage::Parameter(parameter));
    gradient.ids().any(|id| gradient.operands(id).iter().any(|operand| gradient.node(operand.node).op == load))
}

fn never_learns(model: &Model, stage: &Stage, (growth, growing): (&Growth, &Growing), stuck: &[u32]) -> Diagnostic {
    let roles: BTreeSet<Role> = stuck.iter().map(|index| model.parameters[*index as usize].role).collect();
    let are_zero = |role: Role| {
        let mut of_role = stuck.iter().filter(|index| model.parameters[**index as usize].role == role);
        of_role.all(|index| matches!(growing.rows[*index as usize], NewRows::Number(0.0, _)))
    };
    let both = roles.contains(&Role::Keys) && roles.contains(&Role::Values);
    let cause = match both {
        true if are_zero(Role::Keys) && are_zero(Role::Values) => {
            ("keys and values are both zero", "draw one of the two: `init = (keys = zero, values = normal(0.02))`")
        }
        true if model.program.values.iter().any(|value| matches!(value.primitive, Primitive::TopK { .. })) => {
            ("no old token makes way for one", "draw the new keys: `init = (keys = normal(old), values = zero)`")
        }
        true | false => {
            ("their gradient is zero", "draw one of the two: `init = (keys = zero, values = normal(0.02))`")
        }
    };
    not_learning(model, stage, growth, stuck, cause)
}

/// Why, and the way out.
fn not_learning(model: &Model, stage: &Stage, growth: &Growth, stuck: &[u32], (why, help): (&str, &str)) -> Diagnostic {
    let parameters: Vec<&Parameter> = stuck.iter().map(|index| &model.parameters[*index as usize]).collect();
    let paths: Vec<&str> = parameters.iter().take(2).map(|parameter| parameter.path.as_str()).collect();
    let rest = match parameters.len().saturating_sub(paths.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Diagnostic::new(Code::NeverLearns, format!("new tokens can never learn: {why}"))
        .at(growth.span, format!("stage \"{}\" grows", stage.name))
        .note(format!("the new rows of {}{rest} stay as they are", paths.join(", ")))
        .help(help)
}
