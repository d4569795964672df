//! Documents as tokens: the corpus and its file, the parts of it, and the sequences cut from a part.

mod corpus;
mod format;
mod hold_out;
mod part;
mod prepare;
mod sequences;

pub use corpus::Corpus;
pub use hold_out::{HeldOut, hold_out};
pub use part::{Documents, Part};
pub use prepare::{prepare, refuse_prepared};
pub use sequences::{Sequences, TokenBatch};

#[cfg(test)]
mod tests;
