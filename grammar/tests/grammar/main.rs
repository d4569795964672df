//! Tests of the language as text, in one binary.

mod diagnostics_page;
mod errors;
mod expressions;
mod formatting;
mod generators;
mod properties;
mod rendering;
mod sketches;
