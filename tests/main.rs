//! All integration tests, in one binary so that LLVM is linked once.

mod cli;
mod conformance;
mod cuda;
mod cuda_sim;
mod official;
mod support;
