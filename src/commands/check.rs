//! `tfc check`: mistakes, and the table of the stages.

use crate::arguments::{Check, Format};
use crate::console::Console;
use crate::kernels;
use crate::spec::Proven;
use crate::stop::Outcome;
use serde_json::{Value, json};
use tfc_compiler::budget::arena_bytes;
use tfc_compiler::compile::compile;
use tfc_compiler::compiled::Entry;
use tfc_compiler::model::Stage;
use tfc_compiler::prove::{GrowthProof, Verdict};
use tfc_compiler::size::SizeValues;
use tfc_compiler::stages::{self, Known, StageRow, StageTable};

pub fn run(command: &Check, console: &Console) -> Outcome {
    let proven = Proven::load(&command.spec.spec, &command.spec.sets, console)?;
    let model = &proven.spec.model;
    let entries = if model.program.loss.is_some() { vec![Entry::Gradient, Entry::Update] } else { Vec::new() };
    let compiled = compile(model.clone(), &entries);
    let activations = |_: &Stage, sizes: &SizeValues| arena_bytes(&compiled, sizes);
    let known = Known { evaluate: proven.evaluate.as_ref(), proofs: &proven.proofs, activations: &activations };
    let table = stages::table(model, &known);
    let text = match command.format {
        Format::Text => stages::text(&table),
        Format::Json => format!("{:#}\n", json_of(&table)),
    };
    console.print(&text)?;
    if command.kernels {
        let kernels = kernels::check(model)?;
        console.say(&format!("{kernels} kernels ran on the simulated GPU, and nothing was found"));
    }
    Ok(())
}

fn json_of(table: &StageTable) -> Value {
    json!({ "stages": table.rows.iter().map(row).collect::<Vec<_>>() })
}

fn row(row: &StageRow) -> Value {
    let groups = row.groups.iter().map(|group| {
        json!({ "name": group.name, "tokens": [group.tokens.0, group.tokens.1], "parameters": group.parameters })
    });
    let flops = row.flops.map(|f| json!({ "forward": f.forward, "training": f.training, "stage": f.stage }));
    let memory = json!({
        "weights": row.memory.weights,
        "gradients": row.memory.gradients,
        "moments": row.memory.moments,
        "activations": row.memory.activations,
    });
    json!({
        "name": row.name,
        "parameters": row.parameters,
        "trainable": row.trainable,
        "groups": groups.collect::<Vec<_>>(),
        "flops": flops,
        "memory": memory,
        "growth": row.growth.as_ref().map(growth),
        "steps": row.end.steps,
    })
}

fn growth(proof: &GrowthProof) -> Value {
    match &proof.verdict {
        Verdict::Preserves { because } => json!({ "verdict": "preserves", "because": because }),
        Verdict::NearlyPreserves { because, .. } => json!({ "verdict": "nearly preserves", "because": because }),
        Verdict::Changes { because, .. } => json!({ "verdict": "changes", "because": because }),
        Verdict::Unproven { because, .. } => json!({ "verdict": "unproven", "because": because }),
    }
}
