//! The loss and every metric over a data set.

use crate::call;
use crate::device::Session;
use crate::train::{Batches, micro_batches};
use crate::{Failure, Kind, Result};
use tfc_compiler::compiled::Compiled;
use tfc_compiler::size::Symbol;

/// Means over all targets of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    pub loss: f64,
    /// By name.
    pub metrics: Vec<(String, f64)>,
}

impl Evaluation {
    /// `loss` or a metric.
    pub fn get(&self, name: &str) -> Option<f64> {
        let metric = self.metrics.iter().find(|(n, _)| n == name).map(|(_, value)| *value);
        if name == "loss" { Some(self.loss) } else { metric }
    }

    /// exp(loss): meaningful where the loss is a mean over tokens.
    pub fn perplexity(&self) -> f64 {
        self.loss.exp()
    }
}

/// Told before each micro-batch how many sequences are done, and of how many. An error ends what it watches.
pub type Watch<'a> = &'a mut dyn FnMut(u64, u64) -> Result<()>;

/// Means over all targets of the first `rows` sequences, summed in f64 in the order of the sequences.
pub fn evaluate(
    compiled: &Compiled,
    session: &mut dyn Session,
    batches: &dyn Batches,
    rows: u64,
    micro_batch: u64,
    watch: Watch<'_>,
) -> Result<Evaluation> {
    let graph = call::graph(compiled, "evaluate")?;
    if rows == 0 {
        return Err(Failure::mistake("there is nothing to evaluate on: the data has no sequences"));
    }
    let mut sums: Vec<(String, f64)> = Vec::new();
    let mut targets = 0.0;
    let all = rows;
    for (first, rows) in micro_batches(all, micro_batch) {
        watch(first, all)?;
        let inputs = call::inputs(graph, session, rows, batches.inputs(first, rows)?)?;
        let outputs = session.run("evaluate", &[(Symbol::BATCH, rows as i64)], &inputs)?;
        let weight = batches.targets(first, rows)? as f64;
        if sums.is_empty() {
            sums = outputs.iter().map(|(name, _)| (name.clone(), 0.0)).collect();
        }
        for (name, sum) in &mut sums {
            *sum += weight * call::scalar(&outputs, name)?;
        }
        targets += weight;
    }
    let mut metrics: Vec<(String, f64)> = sums.into_iter().map(|(name, sum)| (name, sum / targets)).collect();
    let missing = || Failure::new(Kind::Machine, "the device handed back no `loss`; this is a bug in tfc");
    let loss = metrics.iter().position(|(name, _)| name == "loss").ok_or_else(missing)?;
    Ok(Evaluation { loss: metrics.remove(loss).1, metrics })
}
