//! Tests of the language as text, in one binary.

mod errors;
mod sketches;
