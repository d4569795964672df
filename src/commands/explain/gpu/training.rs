//! What the training of each stage comes to, growth after growth.

use super::calls::calls;
use super::roofline::Roofline;
use crate::arguments::What;
use crate::workload::Workload;
use tfc_compiler::budget;

#[derive(Clone, Debug, PartialEq)]
pub struct StageLine {
    pub name: String,
    pub precision: &'static str,
    pub batch: u64,
    pub micro_batch: u64,
    /// Of one update, by the roofline: less it cannot be.
    pub seconds: f64,
    /// Tokens, or inputs where there is no sequence.
    pub tokens_per_s: f64,
    /// All tensors of the training.
    pub bytes: u64,
    /// Updates, where their number is known.
    pub steps: Option<u64>,
}

/// Each stage that trains; of a workload that is no training, none. `one` leaves out all but the stage that was asked for.
pub fn stages(workload: &Workload, roofline: &Roofline, one: bool) -> Vec<StageLine> {
    let (compiled, model) = (&workload.compiled, &workload.compiled.model);
    if workload.what != What::Train {
        return Vec::new();
    }
    let positions = model.context.unwrap_or(1) as f64;
    let stages = model.experiment.stages.iter().enumerate();
    let wanted = stages.filter(|(i, stage)| stage.train.is_some() && (!one || *i == workload.stage));
    wanted
        .map(|(i, stage)| {
            let (batch, micro_batch) = (workload.batch_of(i), workload.micro_batch(i));
            let seconds = roofline.sum(compiled, &calls(workload, i)).seconds;
            let tokens = batch as f64 * positions;
            let by_tokens = stage.end.tokens.map(|end| (end as f64 / tokens).ceil() as u64);
            StageLine {
                name: stage.name.clone(),
                precision: model.stage_precision(i).name(),
                batch,
                micro_batch,
                seconds,
                tokens_per_s: tokens / seconds,
                bytes: budget::stage_bytes(compiled, i, micro_batch),
                steps: stage.end.steps.into_iter().chain(by_tokens).min(),
            }
        })
        .collect()
}
