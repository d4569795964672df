//! Which classes a classifier takes for which: its answers over a data set, counted.

mod text;

#[cfg(test)]
mod tests;

use crate::device::Session;
use crate::evaluate::Watch;
use crate::train::{Batches, micro_batches};
use crate::{Failure, Kind, Result, call};
use std::collections::BTreeMap;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::model::{InputKind, Model, Prediction, Primitive};
use tfc_compiler::size::Symbol;

/// Up to so many classes a matrix can be read; of more, only the pairs that are confused most.
const READABLE: usize = 32;
/// How many of those pairs are said.
const PAIRS: usize = 20;

/// How often each class was taken for which.
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    /// What the classes are called.
    names: Vec<String>,
    /// By truth and prediction, without zeros: the size does not depend on the number of classes.
    counts: BTreeMap<(usize, usize), u64>,
}

/// A class that was taken for another, so many times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake<'a> {
    pub truth: &'a str,
    pub prediction: &'a str,
    pub count: u64,
}

/// The binding of the logits and the input of the labels, if the model's loss compares such.
pub fn classifier(model: &Model) -> Option<(&str, &str)> {
    let Prediction { logits, labels } = *model.program.predictions().first()?;
    let Primitive::Input(label) = model.program.values[labels.0 as usize].primitive else { return None };
    let label = &model.inputs[label];
    matches!(label.kind, InputKind::Class { .. }).then_some((model.program.name_of(logits)?, label.name.as_str()))
}

impl Confusion {
    /// Of the answers to the first `rows` inputs. None: the model is no classifier whose logits have a name. `compiled` needs the entry
    /// of [`classifier`]'s logits.
    ///
    /// # Errors
    /// The data cannot be read.
    pub fn measure(
        compiled: &Compiled,
        session: &mut dyn Session,
        batches: &dyn Batches,
        rows: u64,
        micro_batch: u64,
        watch: Watch<'_>,
    ) -> Result<Option<Confusion>> {
        let Some((logits, label)) = classifier(&compiled.model) else { return Ok(None) };
        let graph = call::graph(compiled, "named")?;
        let missing = |what: &str| Failure::new(Kind::Machine, format!("there is no `{what}`; this is a bug in tfc"));
        let mut counts = BTreeMap::new();
        let mut classes = 0;
        let all = rows;
        for (first, rows) in micro_batches(all, micro_batch) {
            watch(first, all)?;
            let offered = batches.inputs(first, rows)?;
            let (_, labels) = offered.iter().find(|(name, _)| name == label).ok_or_else(|| missing(label))?;
            let labels = labels.to_f64();
            let inputs = call::inputs(graph, session, rows, offered)?;
            let mut answers = Vec::new();
            session.run_and_look("named", &[(Symbol::BATCH, rows as i64)], &inputs, &mut |name, tensor| {
                if name == logits {
                    classes = tensor.shape.last().copied().unwrap_or(0);
                    answers = tensor.rows().map(|row| largest(&row)).collect();
                }
            })?;
            if answers.is_empty() {
                return Err(missing(logits));
            }
            for (label, answer) in labels.iter().zip(answers) {
                *counts.entry((*label as usize, answer)).or_insert(0) += 1;
            }
        }
        let name = |class: usize| batches.class_names().get(class).cloned().unwrap_or_else(|| class.to_string());
        Ok(Some(Confusion { names: (0..classes).map(name).collect(), counts }))
    }

    pub fn classes(&self) -> usize {
        self.names.len()
    }

    /// How many inputs there were.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The part of them whose class was seen.
    pub fn accuracy(&self) -> f64 {
        let right = self.counts.iter().filter(|((truth, prediction), _)| truth == prediction);
        right.map(|(_, count)| *count).sum::<u64>() as f64 / self.total().max(1) as f64
    }

    /// A row for each true class, a column for each answer; None where there are too many to be read.
    pub fn matrix(&self) -> Option<Vec<Vec<u64>>> {
        let count = |truth, prediction| self.counts.get(&(truth, prediction)).copied().unwrap_or(0);
        let row = |truth| (0..self.classes()).map(|prediction| count(truth, prediction)).collect();
        (self.classes() <= READABLE).then(|| (0..self.classes()).map(row).collect())
    }

    /// The pairs that are confused most, the worst first, at most twenty.
    pub fn mistakes(&self) -> Vec<Mistake<'_>> {
        let mut pairs: Vec<_> = self.counts.iter().filter(|((truth, prediction), _)| truth != prediction).collect();
        pairs.sort_by_key(|(pair, count)| (std::cmp::Reverse(**count), **pair));
        let name = |class: usize| self.names.get(class).map_or("", String::as_str);
        let mistake =
            |(&(truth, prediction), &count)| Mistake { truth: name(truth), prediction: name(prediction), count };
        pairs.into_iter().take(PAIRS).map(mistake).collect()
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// The place of the largest logit; of equals the first, as `accuracy` has it.
fn largest(logits: &[f64]) -> usize {
    (0..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best })
}
