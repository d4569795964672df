//! Devices, sessions, training, growth, checkpoints and data. Knows no LLVM: it is handed a `Backend`.

pub mod data;
pub mod device;
mod failure;
mod init;
pub mod metrics;
pub mod random;
mod reals;
pub mod report;
pub mod rows;
pub mod schedule;
mod sizes;
pub mod storage;

pub use failure::{Failure, Kind, Result};
