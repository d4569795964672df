//! The online softmax on a tile of scores, queries in lanes, and which keys a query sees.

use super::head::Shape;
use crate::math::exp_or_zero;
use crate::mlir::{Function, Index, Ints, Mask, Pointer, Vector};
use tfc_compiler::graph::AttentionMask;

/// Below every score, and yet a number: the difference of two of them is 0.
pub const LOWEST: f32 = -1e30;

/// Which keys are seen, and what scores are multiplied by.
#[derive(Clone, Copy)]
pub struct Scoring {
    pub mask: AttentionMask,
    pub scale: f32,
}

impl Scoring {
    /// The keys `[begin, end)` that queries at positions `[first, first + count)` can see, of `keys` in all; whole blocks at the
    /// beginning.
    pub fn key_range<'f>(
        self,
        first: Index<'f>,
        count: Index<'f>,
        keys: Index<'f>,
        block: i64,
    ) -> (Index<'f>, Index<'f>) {
        let zero = first.constant(0);
        let end = (first + count).or_at_most(keys);
        match self.mask {
            AttentionMask::Full => (zero, keys),
            AttentionMask::Causal => (zero, end),
            AttentionMask::Window(width) => ((first + (1 - i64::from(width))).or_at_least(zero) / block * block, end),
        }
    }

    /// The scaled score of a key for a register of queries, −∞ where it is not seen.
    pub fn score<'f>(self, product: Vector<'f>, key: Index<'f>, queries: Ints<'f>) -> Vector<'f> {
        let scaled = product * self.scale;
        match self.sees(key, queries) {
            None => scaled,
            Some(seen) => seen.select(scaled, product.constant(f32::NEG_INFINITY)),
        }
    }

    /// Nothing if all are seen.
    fn sees<'f>(self, key: Index<'f>, queries: Ints<'f>) -> Option<Mask<'f>> {
        let key = key.to_int32().splat();
        match self.mask {
            AttentionMask::Full => None,
            AttentionMask::Causal => Some(key.at_most(queries)),
            AttentionMask::Window(width) => Some(key.at_most(queries) & queries.less(key + width as i32)),
        }
    }
}

/// One panel of queries while keys go by.
pub struct Panel<'f> {
    pub shape: Shape,
    pub scoring: Scoring,
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
        let queries: Vec<Ints> = lanes.iter().map(|lane| (self.position + *lane).counting()).collect();
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
