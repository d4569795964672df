//! One file a command.

pub mod bench;
pub mod check;
pub mod compare;
pub mod compile;
pub mod data;
pub mod doctor;
pub mod eval;
pub mod explain;
pub mod export;
pub mod fmt;
pub mod generate;
pub mod grow;
pub mod import;
pub mod inspect;
pub mod run;
pub mod serve;
pub mod train;
