//! `tfc compare`: runs beside each other: their losses against steps, tokens and FLOPs, and how their specs differ.

use crate::arguments::{Compare, Format};
use crate::console::Console;
use crate::output;
use crate::stop::Outcome;
use serde_json::json;
use similar::{ChangeTag, TextDiff};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tfc_runtime::metrics::{Entry, Event};
use tfc_runtime::record::{has_measured, measured};
use tfc_runtime::report::{Against, Group, Run, loss_chart};
use tfc_runtime::storage::{NewFile, read_text};
use tfc_runtime::{Failure, Result};

pub fn run(command: &Compare, console: &Console) -> Outcome {
    if let Some(path) = &command.svg {
        output::may_be_written(path, &[])?;
    }
    let (runs, unmeasured): (Vec<&PathBuf>, Vec<&PathBuf>) =
        command.runs.iter().partition(|run| has_measured(run) || !run.join("model.tfm").exists());
    if !runs.is_empty() {
        unmeasured
            .iter()
            .for_each(|run| console.say(&format!("`{}` has measured nothing and is left out", run.display())));
    }
    let all = seeds(if runs.is_empty() { &unmeasured } else { &runs })?;
    let summaries: Vec<Summary> = all.iter().map(|seeds| summary(&seeds.runs)).collect();
    let text = match command.format {
        Format::Text => table(&summaries) + &differences(&all),
        Format::Json => {
            let one = |s: &Summary| {
                json!({ "name": s.name, "seeds": s.seeds, "steps": s.steps, "tokens": s.tokens, "flops": s.flops,
                        "loss": s.loss, "loss_deviation": s.deviation, "loss_of": s.kind })
            };
            format!("{:#}\n", serde_json::Value::Array(summaries.iter().map(one).collect()))
        }
    };
    console.print(&text)?;
    if let Some(path) = &command.svg {
        let groups: Vec<Group> = all.into_iter().map(|seeds| seeds.runs).collect();
        NewFile::write(path, loss_chart(&groups, Against::Flops).svg().as_bytes())?;
        console.say(&format!("drawn in {}", path.display()));
    }
    Ok(())
}

/// Runs of one name that differ in nothing but the seed.
struct Seeds<'a> {
    /// The first: the others differ from it in their seeds alone.
    leader: &'a Path,
    /// Of each run: the same seed again is no other sample.
    specs: Vec<String>,
    runs: Group,
}

fn seeds<'a>(paths: &[&'a PathBuf]) -> Result<Vec<Seeds<'a>>> {
    let mut all: Vec<Seeds<'a>> = Vec::new();
    for (i, path) in paths.iter().enumerate() {
        if paths[..i].iter().any(|other| is_same(other, path)) {
            return Err(Failure::mistake(format!("`{}` is named twice; name each run once", path.display())));
        }
        let (run, spec) = (measured(path)?, read_text(&path.join("model.tfm"))?);
        let name = group_name(path);
        let is_same = |known: &&mut Seeds<'_>| {
            group_name(known.leader) == name
                && without_seed(&known.specs[0]) == without_seed(&spec)
                && !known.specs.contains(&spec)
        };
        if let Some(known) = all.iter_mut().find(is_same) {
            known.runs.runs.push(run);
            known.specs.push(spec);
            continue;
        }
        let is_taken = all.iter().any(|known| known.runs.name == name);
        let name = if is_taken { path.display().to_string() } else { name };
        all.push(Seeds { leader: path, specs: vec![spec], runs: Group { name, runs: vec![run] } });
    }
    Ok(all)
}

fn is_same(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

/// The lines of a spec as resolved, which has one entry a line.
fn without_seed(spec: &str) -> Vec<&str> {
    let is_seed = |line: &str| line.trim().strip_prefix("seed = ").is_some_and(|seed| seed.parse::<u64>().is_ok());
    spec.lines().filter(|line| !is_seed(line)).collect()
}

/// The name of a run's folder without its seed.
fn group_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    match name.rsplit_once("-s") {
        Some((stem, seed)) if !seed.is_empty() && seed.bytes().all(|b| b.is_ascii_digit()) => stem.to_string(),
        Some(_) | None => name.into_owned(),
    }
}

/// Where the runs of a group ended.
struct Summary {
    name: String,
    seeds: usize,
    steps: u64,
    tokens: u64,
    flops: f64,
    /// Mean over seeds of the last loss, and its deviation.
    loss: f64,
    deviation: f64,
    kind: &'static str,
}

fn summary(group: &Group) -> Summary {
    let last = |run: &Run, event: Event| -> Option<Entry> {
        run.entries.iter().rev().find(|e| e.event == event && e.values.contains_key("loss")).cloned()
    };
    let validates = group.runs.iter().all(|run| last(run, Event::Validate).is_some());
    let event = if validates { Event::Validate } else { Event::Train };
    let ends: Vec<Entry> = group.runs.iter().filter_map(|run| last(run, event)).collect();
    let losses: Vec<f64> = ends.iter().map(|entry| entry.values["loss"]).collect();
    let mean = losses.iter().sum::<f64>() / losses.len() as f64;
    let variance = losses.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / (losses.len().max(2) - 1) as f64;
    Summary {
        name: group.name.clone(),
        seeds: group.runs.len(),
        steps: ends.iter().map(|e| e.step).max().unwrap_or(0),
        tokens: ends.iter().map(|e| e.tokens).max().unwrap_or(0),
        flops: ends.iter().map(|e| e.flops).fold(0.0, f64::max),
        loss: mean,
        deviation: variance.sqrt(),
        kind: if validates { "validation" } else { "training" },
    }
}

fn table(summaries: &[Summary]) -> String {
    let width = summaries.iter().map(|s| s.name.len()).max().unwrap_or(0).max(3);
    let mut text = format!("{:<width$}  seeds    steps        tokens      TFLOP  loss\n", "run");
    for s in summaries {
        let spread = if s.seeds > 1 { format!(" ± {:.4}", s.deviation) } else { String::new() };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<width$}  {:>5}  {:>7}  {:>12}  {:>9.2}  {:.4}{spread} ({})",
            s.name,
            s.seeds,
            s.steps,
            s.tokens,
            s.flops / 1e12,
            s.loss,
            s.kind
        );
    }
    text
}

/// How the spec of each differs from the first's.
fn differences(all: &[Seeds<'_>]) -> String {
    let Some((first, others)) = all.split_first() else { return String::new() };
    let mut text = String::new();
    for other in others {
        let diff = TextDiff::from_lines(&first.specs[0], &other.specs[0]);
        let changed: Vec<String> = diff
            .iter_all_changes()
            .filter_map(|change| match change.tag() {
                ChangeTag::Delete => Some(format!("  - {}", change.value().trim())),
                ChangeTag::Insert => Some(format!("  + {}", change.value().trim())),
                ChangeTag::Equal => None,
            })
            .collect();
        let (other, first) = (other.leader.display(), first.leader.display());
        let _ = writeln!(text, "\n{other} against {first}:\n{}", changed.join("\n"));
    }
    text
}
