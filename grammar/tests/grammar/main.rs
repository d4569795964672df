//! Tests of the language as text, in one binary.

mod errors;
mod formatting;
mod generators;
mod properties;
mod sketches;
