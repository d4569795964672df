//! All integration tests, in one binary so that LLVM is linked once.

mod cli;
mod conformance;
mod official;
mod support;
