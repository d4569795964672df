//! From a checked model to the graph of one entry.
//!
//! All entries share one translation of the forward pass ([`forward::Forward`]): a table from primitives to operations, driven by
//! demand, so an entry holds only what its outputs need. What differs between entries is a [`Mode`]: whether random masks are
//! drawn, and whether attention and positions work on a cache. Nothing here can fail: the checker has seen to that.

mod decode;
mod entries;
mod forward;
mod primitive;

pub use decode::can_decode;
pub use entries::lower;

use crate::graph::{Type, Value};

/// How the forward pass is lowered.
pub(crate) enum Mode {
    /// Random masks are drawn from the input `seed`.
    Train,
    /// Random masks are what they are on average: all ones.
    Evaluate,
    /// As `Evaluate`, on key/value caches: positions start at the input `position`.
    Decode { position: Value, caches: Vec<Type> },
}

#[cfg(test)]
mod tests;
