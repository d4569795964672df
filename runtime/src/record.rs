//! What a run leaves behind of itself: `metrics.jsonl`, event files for TensorBoard, and in the end the loss curve and the report.

use crate::checkpoint::Done;
use crate::confusion::Confusion;
use crate::metrics::{self, Entry, EventFile, Log};
use crate::report::{Against, Group, Report, Run, loss_chart};
use crate::storage::NewFile;
use crate::train::{Event, Observer, Step};
use crate::{Kind, Result};
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) const METRICS: &str = "metrics.jsonl";
const REPORT: &str = "report.html";
const CONFUSION: &str = "confusion.json";
const CURVE: &str = "loss.svg";
const EVENTS: &str = "tensorboard";

pub struct Record {
    folder: PathBuf,
    title: String,
    /// As soon as a stage begins: a run that is refused before leaves what was measured as it is.
    measured: Option<Measured>,
    /// By validation set, of the stage that ended last.
    confusions: Vec<(String, Confusion)>,
}

/// What measurements go to.
struct Measured {
    log: Log,
    events: EventFile,
    /// Where the run is: what an entry begins with.
    stage: String,
    tokens: u64,
    flops: f64,
    /// What was measured at the resumed step before the run stopped, which may be measured again.
    known: Vec<(metrics::Event, u64, String)>,
}

impl Record {
    /// For the run in `folder`.
    pub fn new(folder: &Path, title: &str) -> Record {
        Record { folder: folder.to_owned(), title: title.to_string(), measured: None, confusions: Vec::new() }
    }

    /// Draws the loss curve and writes the report of what was measured so far.
    pub fn finish(self, spec: &str) -> Result<()> {
        if self.measured.is_none() {
            return Ok(());
        }
        let entries = metrics::read(&self.folder.join(METRICS))?;
        let group = Group { name: self.title.clone(), runs: vec![Run { entries }] };
        let curve = loss_chart(std::slice::from_ref(&group), Against::Steps).svg();
        NewFile::write(&self.folder.join(CURVE), curve.as_bytes())?;
        if !self.confusions.is_empty() {
            let sets =
                self.confusions.iter().map(|(set, confusion)| json!({ "data": set, "confusion": confusion.json() }));
            let text = format!("{:#}\n", Value::Array(sets.collect()));
            NewFile::write(&self.folder.join(CONFUSION), text.as_bytes())?;
        }
        let (title, confusions) = (self.title, self.confusions);
        let report = Report { title, groups: vec![group], confusions, spec: Some(spec.to_string()) };
        report.write(&self.folder.join(REPORT))
    }

    /// Begins where the run is: what was measured after that is forgotten, for it will happen again, as will an evaluation that it `owes`.
    fn begin(&mut self, run: Done, stage: &str, owes: bool) -> Result<()> {
        self.confusions.clear();
        if let Some(measured) = &mut self.measured {
            measured.stage = stage.to_string();
            return Ok(());
        }
        let is_done = |entry: &Entry| match entry.step.cmp(&run.steps) {
            Ordering::Less => true,
            Ordering::Equal => !owes || entry.event != metrics::Event::Validate,
            Ordering::Greater => false,
        };
        let (log, entries) = Log::kept(&self.folder.join(METRICS), is_done)?;
        let last = entries.iter().filter(|entry| entry.step == run.steps);
        self.measured = Some(Measured {
            log,
            events: EventFile::create(&self.folder.join(EVENTS), run.steps + 1)?,
            stage: stage.to_string(),
            tokens: run.tokens,
            flops: run.flops,
            known: last.map(|entry| (entry.event, entry.step, entry.stage.clone())).collect(),
        });
        Ok(())
    }

    fn add(&mut self, event: metrics::Event, step: u64, values: BTreeMap<String, f64>) -> Result<()> {
        self.measured.as_mut().map_or(Ok(()), |measured| measured.add(event, step, values))
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        if let Some(measured) = &mut self.measured {
            (measured.tokens, measured.flops) = (step.tokens, step.flops);
        }
        let values = [
            ("loss", step.loss),
            ("gradient_norm", step.gradient_norm),
            ("learning_rate", step.learning_rate),
            ("tokens_per_second", step.tokens_per_second),
        ];
        let values = values.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        self.add(metrics::Event::Train, step.step, values)
    }
}

impl Measured {
    fn add(&mut self, event: metrics::Event, step: u64, values: BTreeMap<String, f64>) -> Result<()> {
        if self.known.contains(&(event, step, self.stage.clone())) {
            return Ok(());
        }
        let prefix = match event {
            metrics::Event::Train => "train",
            metrics::Event::Validate => "validate",
            metrics::Event::Stage => "stage",
        };
        let tagged = values.iter().map(|(name, value)| (format!("{prefix}/{name}"), *value)).collect();
        self.events.scalars(step, &tagged)?;
        let (tokens, flops, stage) = (self.tokens, self.flops, self.stage.clone());
        self.log.append(&Entry { event, step, tokens, flops, stage, values })
    }
}

impl Observer for Record {
    fn see(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Stage { stage, run, done, owes, .. } => {
                self.begin(*run, &stage.name, *owes)?;
                if *done == 0 { self.add(metrics::Event::Stage, run.steps, BTreeMap::new()) } else { Ok(()) }
            }
            Event::Confused { set, confusion } => {
                self.confusions.push((set.to_string(), (*confusion).clone()));
                Ok(())
            }
            Event::Grown { .. } | Event::Evaluating { .. } | Event::Saved { .. } => Ok(()),
            Event::Step(step) => self.step(step),
            Event::Evaluated { step, set, first, evaluation, .. } => {
                let metrics = evaluation.metrics.iter().map(|(metric, value)| (metric.clone(), *value));
                let measured: Vec<(String, f64)> = metrics.chain([("loss".to_string(), evaluation.loss)]).collect();
                let named = measured.iter().map(|(metric, value)| (format!("{metric}.{set}"), *value));
                let mut values = BTreeMap::new();
                values.extend(named.filter(|_| !set.is_empty()));
                values.extend(measured.iter().filter(|_| *first).cloned());
                self.add(metrics::Event::Validate, *step, values)
            }
        }
    }
}

pub fn has_measured(folder: &Path) -> bool {
    folder.join(METRICS).exists()
}

/// The measurements of the run in a folder.
///
/// # Errors
/// There is no run, or it has measured nothing yet.
pub fn measured(folder: &Path) -> Result<Run> {
    let entries = metrics::read(&folder.join(METRICS)).map_err(|failure| match failure.kind {
        Kind::Missing => crate::Failure::broken(folder, "holds no run with measurements: it has no `metrics.jsonl`"),
        _ => failure,
    })?;
    Ok(Run { entries })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::Evaluation;

    /// The names under which a set's loss is recorded.
    fn names(set: &str, first: bool) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::new(folder.path(), "run");
        record.begin(Done::default(), "first", false).unwrap();
        let evaluation = Evaluation { loss: 1.5, metrics: vec![("hits".into(), 0.5)] };
        record.see(&Event::Evaluated { step: 1, tokens: 8, flops: 1.0, set, first, evaluation: &evaluation }).unwrap();
        let entries = measured(folder.path()).unwrap().entries;
        entries.iter().flat_map(|entry| entry.values.keys().cloned()).collect()
    }

    #[test]
    fn the_first_validation_set_stands_for_the_run() {
        assert_eq!(names("", true), ["hits", "loss"]);
        assert_eq!(names("books", true), ["hits", "hits.books", "loss", "loss.books"]);
        assert_eq!(names("rest", false), ["hits.rest", "loss.rest"]);
    }
}
