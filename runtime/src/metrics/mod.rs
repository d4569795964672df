//! What a run measures, written as it happens: lines of JSON for programs and the report, event files for TensorBoard.

mod crc32c;
mod log;
mod tensorboard;

pub use log::{Log, read};
pub use tensorboard::EventFile;

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// One measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub event: Event,
    /// Steps, tokens and floating-point operations of training done before it, all stages together.
    pub step: u64,
    pub tokens: u64,
    pub flops: f64,
    pub stage: String,
    /// By name; `loss` is the loss. What is not finite is `null` in the file and NaN when read.
    #[serde(deserialize_with = "null_is_nan")]
    pub values: BTreeMap<String, f64>,
}

/// When it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// At a step of training.
    Train,
    /// On validation data.
    Validate,
    /// When a stage began, after growing.
    Stage,
}

fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let values = BTreeMap::<String, Option<f64>>::deserialize(deserializer)?;
    Ok(values.into_iter().map(|(name, value)| (name, value.unwrap_or(f64::NAN))).collect())
}
