//! Which keys a query sees, and what products are multiplied by.

use crate::mlir::{Bool, Index, Int32, Pointer};
use std::f32::consts::LOG2_E;
use tfc_compiler::graph::AttentionMask;
use tfc_compiler::kernel::Number;

#[derive(Clone, Copy)]
pub struct Scoring<'f> {
    mask: AttentionMask,
    pub scale: f32,
    /// Where in its document each token of the sequence stands, if it holds several.
    places: Option<Pointer<'f>>,
}

impl<'f> Scoring<'f> {
    pub fn new(mask: AttentionMask, scale: Number, places: Option<Pointer<'f>>) -> Scoring<'f> {
        Scoring { mask, scale: scale.0 as f32, places }
    }

    /// From a product of a query and a key to its score in units of log 2: exponentials are then powers of two.
    pub fn factor(self) -> f32 {
        self.scale * LOG2_E
    }

    /// The first key of a query's document. The query is one that there is.
    pub fn start(self, query: Index<'f>) -> Index<'f> {
        match self.places {
            Some(places) => query - places.load_int(query).to_index(),
            None => query.constant(0),
        }
    }

    /// Whether the query at a position, its document beginning with `start`, sees a key.
    pub fn sees(self, position: Int32<'f>, start: Int32<'f>, key: Int32<'f>) -> Bool<'f> {
        let f = position.function();
        let causal = || key.at_most(position);
        let by_mask = match self.mask {
            AttentionMask::Full => f.truth(true),
            AttentionMask::Causal => causal(),
            AttentionMask::Window(width) => causal() & (position - width as i32).less(key),
        };
        if self.places.is_some() { by_mask & start.at_most(key) } else { by_mask }
    }

    /// The keys `[begin, end)` outside of which queries at positions `[first, first + count)` see nothing, of `keys` in all.
    pub fn keys_of(self, first: Index<'f>, count: i64, keys: Index<'f>) -> (Index<'f>, Index<'f>) {
        let start = match self.mask {
            AttentionMask::Full => return (first.constant(0), keys),
            AttentionMask::Causal | AttentionMask::Window(_) => self.start(first),
        };
        let begin = match self.mask {
            AttentionMask::Window(width) => (first + (1 - i64::from(width))).or_at_least(start),
            AttentionMask::Full | AttentionMask::Causal => start,
        };
        (begin, (first + count).or_at_most(keys))
    }

    /// The queries `[begin, end)` outside of which nothing sees the keys `[first, first + count)`, of `queries` in all.
    pub fn queries_of(self, first: Index<'f>, count: i64, queries: Index<'f>) -> (Index<'f>, Index<'f>) {
        match self.mask {
            AttentionMask::Full => (first.constant(0), queries),
            AttentionMask::Causal => (first, queries),
            AttentionMask::Window(width) => (first, (first + (count - 1 + i64::from(width))).or_at_most(queries)),
        }
    }
}
