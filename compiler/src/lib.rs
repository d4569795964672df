//! From a checked model to kernels and a plan: pure functions, no IO, no `unsafe`.

#![forbid(unsafe_code)]

pub mod autodiff;
pub mod budget;
pub mod check;
pub mod compile;
pub mod compiled;
pub mod executable;
pub mod fuse;
pub mod graph;
pub mod interpret;
pub mod kernel;
pub mod lower;
pub mod model;
pub mod optimization;
pub mod passes;
pub mod plan;
pub mod precision;
pub mod prove;
pub mod quantity;
pub mod random;
pub mod recompute;
pub mod rotary;
pub mod scalar;
pub mod simulation;
pub mod size;
pub mod stages;
pub mod storage;
pub mod update;
