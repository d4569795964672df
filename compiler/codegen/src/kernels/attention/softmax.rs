//! The online softmax on a tile of scores, queries in lanes, and which keys a query sees.

use super::head::Shape;
use crate::math::exp_or_zero;
use crate::mlir::{Function, Index, Ints, Lanes, Mask, Pointer, Vector};
use tfc_compiler::graph::AttentionMask;

/// Below every score, and yet a number: the difference of two of them is 0.
pub const LOWEST: f32 = -1e30;

/// Which keys are seen, and what scores are multiplied by.
#[derive(Clone, Copy)]
pub struct Scoring<'f> {
    pub mask: AttentionMask,
    pub scale: f32,
    /// Of the present sequence, where it holds several.
    pub documents: Option<Documents<'f>>,
}

/// The documents of a sequence.
#[derive(Clone, Copy)]
pub struct Documents<'f> {
    /// i32 `[positions]`: where in its document each token stands.
    pub places: Pointer<'f>,
    pub positions: Index<'f>,
}

impl<'f> Documents<'f> {
    /// The first key of a query's document.
    fn start(self, query: Index<'f>) -> Index<'f> {
        query - self.places.load_int(query).to_index()
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

impl<'f> Scoring<'f> {
    /// The queries from this position on.
    pub fn queries(self, first: Index<'f>) -> Queries<'f> {
        Queries { positions: first.counting(), starts: self.documents.map(|documents| documents.starts(first)) }
    }

    /// The keys `[begin, end)` that queries at positions `[first, first + count)` can see, of `keys` in all; whole blocks at the
    /// beginning.
    pub fn key_range(self, first: Index<'f>, count: Index<'f>, keys: Index<'f>, block: i64) -> (Index<'f>, Index<'f>) {
        let zero = first.constant(0);
        let end = (first + count).or_at_most(keys);
        let start = self.documents.map_or(zero, |documents| documents.start(first));
        match self.mask {
            AttentionMask::Full => (zero, keys),
            AttentionMask::Causal => (start / block * block, end),
            AttentionMask::Window(width) => ((first + (1 - i64::from(width))).or_at_least(start) / block * block, end),
        }
    }

    /// The scaled score of a key for a register of queries, −∞ where it is not seen.
    pub fn score(self, product: Vector<'f>, key: Index<'f>, queries: Queries<'f>) -> Vector<'f> {
        let scaled = product * self.scale;
        match self.sees(key, queries) {
            None => scaled,
            Some(seen) => seen.select(scaled, product.constant(f32::NEG_INFINITY)),
        }
    }

    /// Nothing if all are seen.
    fn sees(self, key: Index<'f>, queries: Queries<'f>) -> Option<Mask<'f>> {
        let key = key.to_int32().splat();
        let Queries { positions, starts } = queries;
        let by_mask = match self.mask {
            AttentionMask::Full => return None,
            AttentionMask::Causal => key.at_most(positions),
            AttentionMask::Window(width) => key.at_most(positions) & positions.less(key + width as i32),
        };
        Some(starts.map_or(by_mask, |starts| by_mask & starts.at_most(key)))
    }
}

/// One panel of queries while keys go by.
pub struct Panel<'f> {
    pub shape: Shape,
    pub scoring: Scoring<'f>,
    /// The position of the first query.
    pub position: Index<'f>,
    /// `[keys, columns]`: products on the way in, probabilities (not yet divided by their sum) on the way out.
    pub scores: Pointer<'f>,
    /// `[channels, columns]`: what was accumulated under an older maximum.
    pub out: Pointer<'f>,
    /// The largest score so far and the sum of exponentials, for each query.
    pub largest: Pointer<'f>,
    pub sum: Pointer<'f>,
}

impl<'f> Panel<'f> {
    /// Takes up the scores of keys `[key, key + count)`.
    pub fn take(&self, f: &'f Function<'f>, key: Index<'f>, count: Index<'f>) {
        let (columns, width) = (self.shape.b.lanes, self.shape.width);
        let lanes: Vec<Index> = (0..columns).step_by(width as usize).map(|lane| f.index(lane)).collect();
        let queries: Vec<Queries> = lanes.iter().map(|lane| self.scoring.queries(self.position + *lane)).collect();
        let score = |row: Index<'f>, register: usize| {
            let product = self.scores.load_vector(row * columns + lanes[register]);
            self.scoring.score(product, key + row, queries[register])
        };
        let load = |from: Pointer<'f>| lanes.iter().map(|lane| from.load_vector(*lane)).collect::<Vec<_>>();
        let store = |to: Pointer<'f>, values: &[Vector<'f>]| {
            lanes.iter().zip(values).for_each(|(lane, v)| to.store_vector(*lane, *v))
        };
        let before = load(self.largest);
        let largest = f.carry(f.index(0), count, 1, before.clone(), |row, largest| {
            largest.iter().enumerate().map(|(r, m)| m.or_at_least(score(row, r))).collect()
        });
        let fade: Vec<Vector> = before.iter().zip(&largest).map(|(old, new)| exp_or_zero(*old - *new)).collect();
        let sum: Vec<Vector> = load(self.sum).iter().zip(&fade).map(|(sum, fade)| *sum * *fade).collect();
        let sum = f.carry(f.index(0), count, 1, sum, |row, sum| {
            let weigh = |(r, sum): (usize, &Vector<'f>)| {
                let weight = exp_or_zero(score(row, r) - largest[r]);
                self.scores.store_vector(row * columns + lanes[r], weight);
                *sum + weight
            };
            sum.iter().enumerate().map(weigh).collect()
        });
        store(self.largest, &largest);
        store(self.sum, &sum);
        f.times(f.index(self.shape.channel_rows()), |row| {
            for (lane, fade) in lanes.iter().zip(&fade) {
                let at = row * columns + *lane;
                self.out.store_vector(at, self.out.load_vector(at) * *fade);
            }
        });
    }
}
