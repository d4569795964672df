//! The text form, the verifier and the generator that other property tests use.

mod text;
mod verify;
