//! Devices, sessions, training, growth, checkpoints and data. Knows no LLVM: it is handed a `Backend`.

pub mod data;
pub mod device;
mod failure;
pub mod metrics;
pub mod random;
pub mod report;
pub mod schedule;
pub mod storage;

pub use failure::{Failure, Kind, Result};
