//! `tfc eval`: loss, perplexity and metrics of a checkpoint.

use crate::arguments::{Eval, Format};
use crate::checkpoint::Opened;
use crate::console::Console;
use crate::session;
use crate::stop::Outcome;
use serde_json::json;
use tfc_compiler::compiled::Entry;
use tfc_runtime::evaluate::{Evaluation, evaluate};
use tfc_runtime::source;
use tfc_runtime::train::Batches;
use tfc_runtime::{Failure, Result};

/// Sequences that go through the model at once.
const MICRO_BATCH: u64 = 8;

pub fn run(command: &Eval, console: &Console) -> Outcome {
    let disabled = session::disabled(&command.compiler)?;
    let mut opened = Opened::new(&command.checkpoint, &[Entry::Evaluate], &command.device, &disabled, console)?;
    let mut results = Vec::new();
    for (name, batches) in sets(command, &opened)? {
        let rows = batches.per_epoch();
        let evaluation =
            evaluate(&opened.compiled, opened.session.as_mut(), batches.as_ref(), rows, MICRO_BATCH.min(rows))?;
        results.push((name, rows, evaluation));
    }
    let text = match command.format {
        Format::Text => results.iter().map(|(name, rows, evaluation)| line(name, *rows, evaluation)).collect(),
        Format::Json => json_of(&results),
    };
    Ok(console.print(&text)?)
}

/// What is evaluated on: `--data`, or the validation sets of the checkpoint's stage.
fn sets(command: &Eval, opened: &Opened) -> Result<Vec<(String, Box<dyn Batches>)>> {
    let model = &opened.compiled.model;
    let stage = &model.experiment.stages[opened.state.stage.index];
    if command.data.is_empty() {
        let sets = source::open(model, stage, None)?.validate;
        if sets.is_empty() {
            return Err(Failure::mistake("the spec names no validation data; name a text with --data"));
        }
        return Ok(sets);
    }
    let tokenizer = if source::sees_images(model) { None } else { Some(opened.tokenizer()?) };
    let open = |path: &std::path::PathBuf| {
        let batches = match &tokenizer {
            Some(tokenizer) => source::open_text(model, path, tokenizer, stage.data.as_ref())?,
            None => source::open_images(model, path, stage.data.as_ref())?,
        };
        Ok((path.display().to_string(), batches))
    };
    command.data.iter().map(open).collect()
}

fn line(name: &str, rows: u64, evaluation: &Evaluation) -> String {
    let name = if name.is_empty() { "validation" } else { name };
    let metrics: Vec<String> = evaluation.metrics.iter().map(|(name, value)| format!("  {name} {value:.4}")).collect();
    let (loss, perplexity) = (evaluation.loss, evaluation.perplexity());
    format!("{name}: loss {loss:.4}  perplexity {perplexity:.3}{}  ({rows} sequences)\n", metrics.concat())
}

fn json_of(results: &[(String, u64, Evaluation)]) -> String {
    let one = |(name, rows, e): &(String, u64, Evaluation)| {
        let metrics: serde_json::Map<String, serde_json::Value> =
            e.metrics.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
        json!({ "data": name, "sequences": rows, "loss": e.loss, "perplexity": e.perplexity(), "metrics": metrics })
    };
    format!("{:#}\n", serde_json::Value::Array(results.iter().map(one).collect()))
}
