//! Devices, sessions, training, growth, checkpoints and data. Knows no LLVM: it is handed a `Backend`.

pub mod bench;
mod call;
pub mod checkpoint;
pub mod code_cache;
pub mod conformance;
pub mod confusion;
pub mod cut;
pub mod data;
pub mod delta;
pub mod device;
pub mod evaluate;
mod failure;
pub mod generate;
pub mod grow;
mod init;
pub mod json;
pub mod metrics;
pub mod official;
pub mod random;
pub mod record;
pub mod report;
pub mod rows;
pub mod schedule;
mod sizes;
pub mod source;
pub mod storage;
pub mod torch;
pub mod train;

#[cfg(test)]
mod fake;

pub use failure::{Failure, Kind, Result};
