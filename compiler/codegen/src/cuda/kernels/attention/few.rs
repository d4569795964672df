//! Attention of few queries to many keys, as in decoding: a block for each query of a head. Nothing is multiplied often enough for tensor cores; what counts is that
//! keys and values come from memory side by side.
//!
//! Eight lanes share a key: each has quads of its channels. A warp's four groups of eight, and the warps, take keys in turn, each group with a softmax of its own;
//! at the end all are combined in the order of the groups.

use super::forward::Softmax;
use super::heads::Rows;
use super::scoring::Scoring;
use super::tile::{Channels, Shape, Worker};
use crate::cuda::kernels::launch::{QUAD, Taken};
use crate::kernels::attention::LOWEST;
use crate::math::exp2_of_softmax;
use crate::mlir::{F32s, Function, Index, Pointer, Scalar, Vector};

/// Queries up to which each has a block of its own: a tile of more is half full at least.
pub const FEW: i64 = 32;

/// Lanes that share a key.
const SHARE: i64 = 8;

/// Of those lanes in a block.
fn groups(shape: Shape) -> i64 {
    i64::from(shape.threads()) / SHARE
}

/// What the groups leave in shared memory, a row each: their channels, the largest score and the total.
pub fn shared_words(channels: Channels, shape: Shape) -> i64 {
    groups(shape) * (channels.pitch() + 2)
}

pub struct Few<'f> {
    pub f: &'f Function<'f>,
    pub channels: Channels,
    pub scoring: Scoring<'f>,
    pub worker: Worker<'f>,
    pub q: Rows<'f>,
    pub k: Rows<'f>,
    pub v: Rows<'f>,
    pub out: Rows<'f>,
    /// The position of the first query, and how many keys there are.
    pub offset: Index<'f>,
    pub keys: Index<'f>,
}

/// Of a thread: quads of the weighted sum of values so far, and the softmax of its group.
type Sums<'f> = (Vec<Vector<'f>>, (Scalar<'f>, Scalar<'f>));

impl<'f> Few<'f> {
    pub fn attend(&self, query: Index<'f>) {
        let (f, thread) = (self.f, self.worker.thread);
        let (group, lane) = ((thread / SHARE as i32).to_index(), (thread % SHARE as i32).to_index());
        let (begin, end) = self.scoring.keys_of(self.offset + query, 1, self.keys);
        let q = self.quads(self.q, query, lane);
        let (sums, (largest, total)) = self.walk(&q, (begin, end), (group, lane));
        let pitch = self.channels.pitch();
        let row = f.shared_memory().at(group * (pitch + 2));
        for (i, sum) in sums.into_iter().enumerate() {
            for (j, channel) in sum.scalars().into_iter().enumerate() {
                row.store(lane * QUAD + (i as i64 * SHARE * QUAD + j as i64), channel);
            }
        }
        f.when(lane.equals(f.index(0)), || {
            row.store(f.index(pitch), largest);
            row.store(f.index(pitch + 1), total);
        });
        f.barrier();
        self.combine(thread.to_index(), self.out.row(query));
    }

    /// Over the keys `[begin, end)`, the thread's group at its own in each turn of all; several at once, so that their loads are under way together. All groups make as many
    /// turns: the lanes of a warp hand over numbers.
    fn walk(
        &self,
        q: &[Vector<'f>],
        (begin, end): (Index<'f>, Index<'f>),
        (group, lane): (Index<'f>, Index<'f>),
    ) -> Sums<'f> {
        let (f, groups) = (self.f, groups(self.worker.shape));
        let at_once = (4 * 64 / self.channels.pitch()).clamp(1, 4);
        let nothing = (vec![f.vector(0.0); q.len()], (f.scalar(LOWEST), f.scalar(0.0)));
        f.carry(begin, end, at_once * groups, nothing, |key, (mut sums, (largest, total))| {
            let keys: Vec<Index> = (0..at_once).map(|i| key + group + i * groups).collect();
            let load = |rows| keys.iter().map(|key| self.quads(rows, *key, lane)).collect::<Vec<_>>();
            let (k, v) = (load(self.k), load(self.v));
            let score = |(key, k): (&Index<'f>, &Vec<Vector<'f>>)| {
                let products = q.iter().zip(k).fold(f.vector(0.0), |sum, (q, k)| q.times_plus(*k, sum));
                let of_lane = products.scalars().into_iter().reduce(|a, b| a + b).expect("a quad is four numbers");
                let product = of_lane.across_lanes(&[4, 2, 1], |a, b| a + b);
                key.less(end).select(product * self.scoring.factor(), f.scalar(LOWEST))
            };
            let scores: Vec<Scalar> = keys.iter().zip(&k).map(score).collect();
            let new = scores.iter().fold(largest, |largest, score| largest.or_at_least(*score));
            let fade = exp2_of_softmax(largest - new);
            let weight =
                |score: &Scalar<'f>| f.scalar(LOWEST).less(*score).select(exp2_of_softmax(*score - new), f.scalar(0.0));
            let weights: Vec<Scalar> = scores.iter().map(weight).collect();
            for (i, sum) in sums.iter_mut().enumerate() {
                let faded = *sum * fade.splat();
                *sum = weights.iter().zip(&v).fold(faded, |sum, (weight, v)| v[i].times_plus(weight.splat(), sum));
            }
            (sums, (new, weights.into_iter().fold(total * fade, |a, b| a + b)))
        })
    }

    /// The thread's quads of a row, zeros behind the last channel; of a row that there is not, those of the last.
    fn quads(&self, rows: Rows<'f>, row: Index<'f>, lane: Index<'f>) -> Vec<Vector<'f>> {
        let (f, channels) = (self.f, self.f.index(self.channels.0));
        let row = rows.row(row.or_at_most(rows.count - 1));
        let quad = |i: i64| {
            let first = lane * QUAD + i * SHARE * QUAD;
            if self.channels.are_quads() {
                let there = first.less(channels);
                return f.either(there, || row.load_aligned::<F32s>(first), || f.vector(0.0));
            }
            let one = |j: i64| {
                let channel = first + j;
                f.either(channel.less(channels), || row.load(channel), || f.scalar(0.0))
            };
            F32s::register(f, &(0..QUAD).map(one).collect::<Vec<_>>())
        };
        (0..self.channels.pitch() / (SHARE * QUAD)).map(quad).collect()
    }

    /// The groups' sums as one, a channel for each thread.
    fn combine(&self, thread: Index<'f>, out: Pointer<'f>) {
        let (f, pitch, shared) = (self.f, self.channels.pitch(), self.f.shared_memory());
        let softmaxes: Vec<Softmax> = (0..groups(self.worker.shape))
            .map(|group| {
                let at = |word: i64| shared.load(f.index(group * (pitch + 2) + pitch + word));
                Softmax { largest: at(0), total: at(1) }
            })
            .collect();
        let largest = softmaxes.iter().fold(f.scalar(LOWEST), |a, softmax| a.or_at_least(softmax.largest));
        let shares: Vec<Scalar> = softmaxes.iter().map(|softmax| exp2_of_softmax(softmax.largest - largest)).collect();
        let total =
            softmaxes.iter().zip(&shares).fold(f.scalar(0.0), |sum, (s, share)| s.total.times_plus(*share, sum));
        let factor = f.scalar(1.0) / total;
        f.each(thread, f.index(self.channels.0), self.worker.shape.threads().into(), |channel| {
            let add = |sum: Scalar<'f>, (group, share): (usize, &Scalar<'f>)| {
                shared.load(channel + group as i64 * (pitch + 2)).times_plus(*share, sum)
            };
            let sum = shares.iter().enumerate().fold(f.scalar(0.0), add);
            out.store(channel, sum * factor);
        });
    }
}
