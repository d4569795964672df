//! The online softmax on a tile of scores, queries in lanes, and which keys a query sees.
//!
//! Scores are in units of log 2: exponentials are then powers of two, and the scale of the attention costs nothing.

use super::head::{Scores, Shape};
use crate::math::exp2_of_softmax;
use crate::mlir::{Carried, Function, Index, Ints, Lanes, Mask, Pointer, Vector};
use std::f32::consts::LOG2_E;
use tfc_compiler::graph::AttentionMask;
use tfc_compiler::kernel::Number;
use tfc_compiler::optimization::Optimization;

/// What sums over queries begin at a multiple of: whole steps, and never in the panel before that of the first query.
pub const TOGETHER: i64 = 4;

/// Below every score, and yet a number: the difference of two of them is 0.
pub const LOWEST: f32 = -1e30;

/// Which keys are seen, and what products are multiplied by.
#[derive(Clone, Copy)]
pub struct Scoring<'f> {
    mask: AttentionMask,
    /// Whether what the mask hides from a whole block is left out, not only weighed with 0.
    skips: bool,
    pub scale: f32,
    /// Of the present sequence, where it holds several.
    documents: Option<Documents<'f>>,
}

/// The documents of a sequence.
#[derive(Clone, Copy)]
pub struct Documents<'f> {
    /// i32 `[positions]`: where in its document each token stands.
    pub places: Pointer<'f>,
    pub positions: Index<'f>,
}

impl<'f> Documents<'f> {
    /// The first key of a token's document; negative where it began before the sequence.
    fn start(self, token: Index<'f>) -> Index<'f> {
        token - self.places.load_int(token).to_index()
    }

    /// The same for a register of queries.
    fn starts(self, query: Index<'f>) -> Ints<'f> {
        let there = Lanes::Some((self.positions - query).lanes());
        query.counting() - self.places.load_int_lanes(query, there)
    }
}

/// A register of queries.
#[derive(Clone, Copy)]
pub struct Queries<'f> {
    positions: Ints<'f>,
    /// The first keys of their documents.
    starts: Option<Ints<'f>>,
}

/// The rows of a block of keys that a panel of queries looks at, `[begin, end)`, of which all its queries see `[free, free_end)`.
#[derive(Clone, Copy)]
pub struct Seen<'f> {
    pub begin: Index<'f>,
    pub end: Index<'f>,
    free: Index<'f>,
    free_end: Index<'f>,
}

impl<'f> Scoring<'f> {
    pub fn new(f: &Function<'f>, mask: AttentionMask, scale: Number, documents: Option<Documents<'f>>) -> Scoring<'f> {
        Scoring { mask, skips: f.uses(Optimization::HiddenBlocks), scale: scale.0 as f32, documents }
    }

    /// Of keys in a cache: those after the last query have never been written.
    pub fn of_cache(mask: AttentionMask, scale: Number) -> Scoring<'f> {
        Scoring { mask, skips: true, scale: scale.0 as f32, documents: None }
    }

    /// The queries from this position on.
    pub fn queries(self, first: Index<'f>) -> Queries<'f> {
        Queries { positions: first.counting(), starts: self.documents.map(|documents| documents.starts(first)) }
    }

    /// From a product of a query and a key to its score.
    pub fn factor(self) -> f32 {
        self.scale * LOG2_E
    }

    /// The keys `[begin, end)` that queries at positions `[first, first + count)` can see, of `keys` in all; whole blocks at the
    /// beginning.
    pub fn key_range(self, first: Index<'f>, count: Index<'f>, keys: Index<'f>, block: i64) -> (Index<'f>, Index<'f>) {
        let zero = first.constant(0);
        if !self.skips {
            return (zero, keys);
        }
        let end = (first + count).or_at_most(keys);
        let start = self.documents.map_or(zero, |documents| documents.start(first).or_at_least(zero));
        match self.mask {
            AttentionMask::Full => (start / block * block, keys),
            AttentionMask::Causal => (start / block * block, end),
            AttentionMask::Window(width) => ((first + (1 - i64::from(width))).or_at_least(start) / block * block, end),
        }
    }

    /// Of the keys `[key, key + count)`, what a panel of queries at the positions from `first` on sees: whole tiles, except at the last key.
    pub fn seen(self, shape: Shape, first: Index<'f>, key: Index<'f>, count: Index<'f>) -> Seen<'f> {
        let zero = first.constant(0);
        if !self.skips {
            let free_end = if self.hides() { zero } else { count };
            return Seen { begin: zero, end: count, free: zero, free_end };
        }
        let (first, last) = (first - key, first - key + (shape.panel - 1));
        let (begin, free) = match self.mask {
            AttentionMask::Full | AttentionMask::Causal => (zero, zero),
            AttentionMask::Window(width) => {
                let [begin, free] = [first, last].map(|x| (x + (1 - i64::from(width))).or_at_least(zero));
                (begin / shape.keys * shape.keys, free)
            }
        };
        let (free_end, end) = match self.mask {
            AttentionMask::Full => (count, count),
            AttentionMask::Causal | AttentionMask::Window(_) => {
                let [free_end, end] = [first, last].map(|x| (x + 1).or_at_least(zero));
                (free_end, end.round_up(shape.keys).or_at_most(count))
            }
        };
        // Where documents begin, queries of a panel differ in what they see.
        let (free, free_end) = self.documents.map_or((free, free_end), |_| (begin, begin));
        let free = free.or_at_most(end);
        Seen { begin, end, free, free_end: free_end.or_at_most(end).or_at_least(free) }
    }

    /// The queries from position `first` on, of `count`, that a tile of keys from `key` on is seen by; a few more do no harm.
    pub fn seen_by(self, shape: Shape, key: Index<'f>, first: Index<'f>, count: Index<'f>) -> (Index<'f>, Index<'f>) {
        let zero = first.constant(0);
        if !self.skips {
            return (zero, count);
        }
        let begin = (key - first).or_at_least(zero) / TOGETHER * TOGETHER;
        match self.mask {
            AttentionMask::Full => (zero, count),
            AttentionMask::Causal => (begin, count),
            AttentionMask::Window(width) => {
                (begin, (key - first + (shape.keys + i64::from(width) - 1)).or_at_most(count))
            }
        }
    }

    /// The rows up to which a tile of queries that begins at position `first` looks, of those that its panel does.
    pub fn end(self, shape: Shape, first: Index<'f>, key: Index<'f>, seen: Seen<'f>) -> Index<'f> {
        match self.mask {
            _ if !self.skips => seen.end,
            AttentionMask::Full => seen.end,
            AttentionMask::Causal | AttentionMask::Window(_) => {
                (first - key + shape.queries).or_at_most(seen.end).or_at_least(seen.begin)
            }
        }
    }

    /// Whether there are keys that some queries do not see.
    fn hides(self) -> bool {
        self.mask != AttentionMask::Full || self.documents.is_some()
    }

    /// Which of the queries see a key.
    pub fn sees(self, key: Index<'f>, queries: Queries<'f>) -> Option<Mask<'f>> {
        let number = key.to_int32().splat();
        let Queries { positions, starts } = queries;
        let by_mask = match self.mask {
            AttentionMask::Full => {
                // Both are of one document, which begins somewhere.
                let start = self.documents?.start(key).to_int32().splat();
                return starts.map(|starts| starts.at_most(start) & start.at_most(starts));
            }
            AttentionMask::Causal => number.at_most(positions),
            AttentionMask::Window(width) => number.at_most(positions) & positions.less(number + width as i32),
        };
        Some(starts.map_or(by_mask, |starts| by_mask & starts.at_most(number)))
    }

    /// Goes through the rows that are looked at, in order, telling `body` of each whether some queries do not see it.
    pub fn fold<C: Carried<'f>>(
        self,
        f: &'f Function<'f>,
        seen: Seen<'f>,
        carried: C,
        body: impl Fn(Index<'f>, bool, C) -> C,
    ) -> C {
        let part = |begin, end, masked, carried| f.carry(begin, end, 1, carried, |row, c| body(row, masked, c));
        let Seen { begin, end, free, free_end } = seen;
        let carried = match self.mask {
            AttentionMask::Full | AttentionMask::Causal => carried,
            AttentionMask::Window(_) => part(begin, free, true, carried),
        };
        let carried = part(free, free_end, false, carried);
        if self.hides() { part(free_end, end, true, carried) } else { carried }
    }
}

/// One panel of queries while keys go by.
pub struct Panel<'f> {
    pub shape: Shape,
    pub scoring: Scoring<'f>,
    /// The position of the first query.
    pub position: Index<'f>,
    /// Products on the way in, probabilities (not yet divided by their sum) on the way out.
    pub scores: Scores<'f>,
    /// The largest score so far and the sum of exponentials, for each query.
    pub largest: Pointer<'f>,
    pub sum: Pointer<'f>,
    /// By what the sums of an older maximum are to be multiplied.
    pub fade: Pointer<'f>,
}

impl<'f> Panel<'f> {
    /// Takes up the scores of a block of keys, which begins with `key`.
    pub fn take(&self, f: &'f Function<'f>, key: Index<'f>, seen: Seen<'f>) {
        let factor = f.vector(self.scoring.factor());
        let lanes = self.shape.panel_registers(f);
        let queries: Vec<Queries> = lanes.iter().map(|lane| self.scoring.queries(self.position + *lane)).collect();
        // What is not seen becomes `other`.
        let visible = |row: Index<'f>, register: usize, masked: bool, value: Vector<'f>, other: f32| match self
            .scoring
            .sees(key + row, queries[register])
            .filter(|_| masked)
        {
            Some(seen) => seen.select(value, f.vector(other)),
            None => value,
        };
        let load = |from: Pointer<'f>| lanes.iter().map(|lane| from.load_vector(*lane)).collect::<Vec<_>>();
        let store = |to: Pointer<'f>, values: &[Vector<'f>]| {
            lanes.iter().zip(values).for_each(|(lane, v)| to.store_vector(*lane, *v))
        };
        let product = |row, register: usize| self.scores.at(row, lanes[register]).load_vector(f.index(0));
        let before = load(self.largest);
        let largest = self.scoring.fold(f, seen, before.clone(), |row, masked, largest: Vec<Vector>| {
            let score = |r: usize| visible(row, r, masked, product(row, r) * factor, LOWEST);
            largest.iter().enumerate().map(|(r, m)| m.or_at_least(score(r))).collect()
        });
        let fade: Vec<Vector> = before.iter().zip(&largest).map(|(old, new)| exp2_of_softmax(*old - *new)).collect();
        let sum: Vec<Vector> = load(self.sum).iter().zip(&fade).map(|(sum, fade)| *sum * *fade).collect();
        let sum = self.scoring.fold(f, seen, sum, |row, masked, sum: Vec<Vector>| {
            let weigh = |(r, sum): (usize, &Vector<'f>)| {
                let weight = exp2_of_softmax(product(row, r).times_plus(factor, -largest[r]));
                let weight = visible(row, r, masked, weight, 0.0);
                self.scores.at(row, lanes[r]).store_vector(f.index(0), weight);
                *sum + weight
            };
            sum.iter().enumerate().map(weigh).collect()
        });
        store(self.largest, &largest);
        store(self.sum, &sum);
        store(self.fade, &fade);
    }
}
