//! `tfc eval`: loss, perplexity and metrics of a checkpoint; of a classifier also what it takes for what.

use crate::arguments::{DeviceArguments, Eval, Format};
use crate::checkpoint::Opened;
use crate::console::Console;
use crate::progress::Progress;
use crate::session;
use crate::stop::Outcome;
use serde_json::json;
use std::path::{Path, PathBuf};
use tfc_compiler::compiled::Entry;
use tfc_compiler::model::Model;
use tfc_compiler::optimization::Disabled;
use tfc_runtime::confusion::{Confusion, classifier};
use tfc_runtime::evaluate::{Evaluation, evaluate};
use tfc_runtime::source;
use tfc_runtime::train::{Batches, Event, Observer};
use tfc_runtime::{Failure, Result};

/// Sequences that go through the model at once, where the numbers are means over sequences.
const MICRO_BATCH: u64 = 8;

pub fn run(command: &Eval, console: &Console) -> Outcome {
    let disabled = session::disabled(&command.compiler, command.device.device.is_gpu())?;
    let entries = |model: &mut Model| {
        if let Some(part) = command.tokens {
            if model.nested_axes().is_empty() {
                let why =
                    "no tokens of the model were trained to be hidden; mask some: `mask = first(uniform(25%, 100%))`";
                return Err(Failure::mistake(why));
            }
            model.show_first(part);
        }
        Ok(entries(model))
    };
    let mut opened = Opened::with(&command.checkpoint, &entries, &command.device, &disabled, console)?;
    let sets = sets(&command.data, &opened)?;
    let results = measure(&mut opened, sets, console)?;
    let text = match command.format {
        Format::Text => results.iter().map(text).collect(),
        Format::Json => json_of(&results),
    };
    Ok(console.print(&text)?)
}

/// Evaluates a checkpoint on the validation data of its spec.
pub fn of_checkpoint(path: &Path, device: &DeviceArguments, console: &Console) -> Outcome {
    let mut opened = Opened::with(path, &|model| Ok(entries(model)), device, &Disabled::default(), console)?;
    let sets = sets(&[], &opened)?;
    let results = measure(&mut opened, sets, console)?;
    Ok(console.print(&results.iter().map(text).collect::<String>())?)
}

/// With the logits of a classifier.
fn entries(model: &Model) -> Vec<Entry> {
    let logits = classifier(model).map(|(logits, _)| Entry::Named(vec![logits.to_string()]));
    [Entry::Evaluate].into_iter().chain(logits).collect()
}

fn measure(opened: &mut Opened, sets: Vec<(String, Box<dyn Batches>)>, console: &Console) -> Result<Vec<Measured>> {
    let mut progress = Progress::of_evaluation(console.is_watched(), console.is_quiet());
    let micro_batch = micro_batch(opened);
    let (compiled, session) = (&opened.compiled, opened.session.as_mut());
    let mut results = Vec::new();
    for (name, batches) in sets {
        let rows = batches.per_epoch();
        let mut watch = |done, of| progress.see(&Event::Evaluating { set: &name, done, of });
        let evaluation = evaluate(compiled, session, batches.as_ref(), rows, micro_batch, &mut watch)?;
        let confusion = Confusion::measure(compiled, session, batches.as_ref(), rows, micro_batch, &mut watch)?;
        results.push(Measured { name, rows, evaluation, confusion });
    }
    Ok(results)
}

/// What belongs to a batch as a whole is that of the batches of the checkpoint's stage, as while it was trained.
fn micro_batch(opened: &Opened) -> u64 {
    let model = &opened.compiled.model;
    let recipe = model.experiment.stages[opened.state.stage.index].train.as_ref();
    recipe.filter(|_| !model.batches_can_be_cut()).map_or(MICRO_BATCH, |recipe| recipe.batch)
}

/// What came out on one data set.
struct Measured {
    name: String,
    rows: u64,
    evaluation: Evaluation,
    /// Of a classifier.
    confusion: Option<Confusion>,
}

/// What is evaluated on: `--data`, or the validation sets of the checkpoint's stage.
fn sets(data: &[PathBuf], opened: &Opened) -> Result<Vec<(String, Box<dyn Batches>)>> {
    let model = &opened.compiled.model;
    let stage = &model.experiment.stages[opened.state.stage.index];
    if data.is_empty() {
        let sets = source::open(model, stage, None)?.validate;
        if sets.is_empty() {
            return Err(Failure::mistake("the spec names no validation data; name a text with --data"));
        }
        return Ok(sets);
    }
    let tokenizer = if source::sees_images(model) { None } else { Some(opened.tokenizer()?) };
    let open = |path: &PathBuf| {
        let batches = match &tokenizer {
            Some(tokenizer) => source::open_text(model, path, tokenizer, stage.data.as_ref())?,
            None => source::open_images(model, path, stage.data.as_ref())?,
        };
        Ok((path.display().to_string(), batches))
    };
    data.iter().map(open).collect()
}

fn text(measured: &Measured) -> String {
    let Measured { name, rows, evaluation, confusion } = measured;
    let name = if name.is_empty() { "validation" } else { name };
    let metrics: Vec<String> = evaluation.metrics.iter().map(|(name, value)| format!("  {name} {value:.4}")).collect();
    let (loss, metrics) = (evaluation.loss, metrics.concat());
    match confusion {
        Some(confusion) => format!("{name}: loss {loss:.4}{metrics}  ({rows} images)\n{confusion}"),
        None => {
            let perplexity = evaluation.perplexity();
            format!("{name}: loss {loss:.4}  perplexity {perplexity:.3}{metrics}  ({rows} sequences)\n")
        }
    }
}

fn json_of(results: &[Measured]) -> String {
    let one = |Measured { name, rows, evaluation: e, confusion }: &Measured| {
        let metrics: serde_json::Map<String, serde_json::Value> =
            e.metrics.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
        let mut object = json!({ "data": name, "sequences": rows, "loss": e.loss, "perplexity": e.perplexity(), "metrics": metrics });
        if let Some(confusion) = confusion {
            object["confusion"] = confusion.json();
        }
        object
    };
    format!("{:#}\n", serde_json::Value::Array(results.iter().map(one).collect()))
}
