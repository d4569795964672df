//! Which keys a query sees, and what products are multiplied by.

use crate::mlir::{Bool, Index, Int32, Pointer};
use std::f32::consts::LOG2_E;
use tfc_compiler::graph::AttentionMask;
use tfc_compiler::kernel::Number;

/// A query or a key: where it is, and where its document begins.
#[derive(Clone, Copy)]
pub struct Token<'f> {
    pub position: Int32<'f>,
    pub start: Int32<'f>,
}

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

    /// The first token of a token's document; negative where it began before the sequence. The token is one that there is.
    pub fn start(self, token: Index<'f>) -> Index<'f> {
        match self.places {
            Some(places) => token - places.load_int(token).to_index(),
            None => token.constant(0),
        }
    }

    /// A key, of `keys` in all, with what decides who sees it.
    pub fn key(self, key: Index<'f>, keys: Index<'f>) -> Token<'f> {
        let f = key.function();
        let start = match (self.mask, self.places) {
            // Of a key that there is not, that of the last: who asks makes sure of the key.
            (AttentionMask::Full, Some(_)) => self.start(key.or_at_most(keys - 1)).to_int32(),
            (AttentionMask::Full | AttentionMask::Causal | AttentionMask::Window(_), _) => f.int32(0),
        };
        Token { position: key.to_int32(), start }
    }

    /// Whether a query sees a key.
    pub fn sees(self, query: Token<'f>, key: Token<'f>) -> Bool<'f> {
        let f = query.position.function();
        let causal = key.position.at_most(query.position);
        let by_mask = match self.mask {
            AttentionMask::Full if self.places.is_some() => return query.start.equals(key.start),
            AttentionMask::Full => f.truth(true),
            AttentionMask::Causal => causal,
            AttentionMask::Window(width) => causal & (query.position - width as i32).less(key.position),
        };
        if self.places.is_some() { by_mask & query.start.at_most(key.position) } else { by_mask }
    }

    /// The keys `[begin, end)` outside of which queries at positions `[first, first + count)` see nothing, of `keys` in all.
    pub fn keys_of(self, first: Index<'f>, count: i64, keys: Index<'f>) -> (Index<'f>, Index<'f>) {
        let start = match self.places {
            Some(_) => self.start(first).or_at_least(first.constant(0)),
            None => first.constant(0),
        };
        let end = (first + count).or_at_most(keys);
        match self.mask {
            AttentionMask::Full => (start, keys),
            AttentionMask::Causal => (start, end),
            AttentionMask::Window(width) => ((first + (1 - i64::from(width))).or_at_least(start), end),
        }
    }

    /// The queries `[begin, end)` outside of which nothing sees the keys `[first, first + count)`, of `queries` in all.
    pub fn queries_of(self, first: Index<'f>, count: i64, queries: Index<'f>) -> (Index<'f>, Index<'f>) {
        match self.mask {
            AttentionMask::Full => (self.keys_of(first, count, queries).0, queries),
            AttentionMask::Causal => (first, queries),
            AttentionMask::Window(width) => (first, (first + (count - 1 + i64::from(width))).or_at_most(queries)),
        }
    }
}
