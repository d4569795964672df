//! The completions of OpenAI's interface, answered by a checkpoint.
//!
//! The model has one thread, the main one, and answers requests one after another: the prompts of a request go through it side by side, and
//! what is answered does not depend on who else asks. HTTP has another thread, which hands the requests over and the answers back, piece by
//! piece as they come.
//!
//! - `protocol`: the JSON of requests and answers;
//! - `answer`: from a request to the pieces of its answer;
//! - `choice`: one text of it; `pieces`: its characters and the likelihoods of its tokens; `stops`: texts that end it;
//! - `http`: the routes.

mod answer;
mod choice;
mod http;
mod pieces;
mod protocol;
mod stops;

pub use answer::Answerer;
pub use http::{Event, Job, serve};
