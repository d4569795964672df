//! Attention of one block of queries: keys go by in blocks, the softmax keeps up.

use super::alone;
use super::head::{Scores, Shape};
use super::softmax::{Documents, LOWEST, Panel, Scoring, Seen};
use super::sums::OverKeys;
use crate::gemm::{Rows, round_up};
use crate::kernels::scratch::Scratch;
use crate::kernels::sizes::Sizes;
use crate::math::log;
use crate::mlir::{Function, Index, Launch, Pointer};
use crate::vectors::Vectors;
use std::f32::consts::LN_2;
use tfc_compiler::kernel::{Attention, CachedAttention};
use tfc_compiler::precision::Precision;

const QUERIES: i64 = Attention::ROW_BLOCK;

/// f32 of scratch.
pub fn scratch_elements(channels: u32, precision: Precision, vectors: Vectors) -> i64 {
    Scratch::total(&parts(Shape::new(channels, precision, vectors)))
}

/// The same with a cache.
pub fn cached_scratch_elements(channels: u32, vectors: Vectors) -> i64 {
    scratch_elements(channels, Precision::F32, vectors).max(alone::scratch_elements(channels))
}

/// Queries as lanes, copied keys and values, scores of a panel, largest scores, sums of weights, factors of a panel, sums of values.
fn parts(shape: Shape) -> [i64; 8] {
    let queries = round_up(QUERIES, shape.panel);
    let (keys, scores) = (shape.block * shape.pitch, shape.block * shape.panel);
    let (lanes, sums) = (shape.lane_elements(QUERIES), shape.sums_elements(queries));
    [lanes, keys, shape.summed_elements(), scores, queries, queries, shape.panel, sums]
}

/// A work item is a block of queries of one head.
pub fn emit<'f>(f: &'f Function<'f>, launch: Launch<'f>, body: &Attention) {
    let sizes = Sizes::new(launch);
    let [_batch, positions, heads, groups] = [0; 4].map(|_| sizes.next());
    let [q, k, v] = [0, 1, 2].map(|i| launch.buffers.load_pointer(i));
    let places = body.documents.then(|| launch.buffers.load_pointer(3));
    let [out, lse] = [3, 4].map(|i| launch.buffers.load_pointer(i + i64::from(body.documents)));
    let rows = |tensor, first, heads, head| Rows::of_head(tensor, body.channels.into(), first, heads, head);
    let blocks = positions.ceiling_division(QUERIES);
    let shape = Shape::new(body.channels, body.precision, f.vectors());
    f.with_tiles(shape.in_tiles, || {
        f.each(launch.begin, launch.end, 1, |item| {
            let (head, first) = (item / blocks, item % blocks * QUERIES);
            let (sequence, head) = (head / heads, head % heads);
            let group = head / (heads / groups);
            let documents = places.map(|places| Documents { places: places.at(sequence * positions), positions });
            let forward = Forward::new(f, launch, shape, Scoring::new(f, body.mask, body.scale, documents));
            let count = (positions - first).or_at_most(f.index(QUERIES));
            let of_head = Head {
                q: rows(q, sequence * positions, heads, head),
                k: rows(k, sequence * positions, groups, group),
                v: rows(v, sequence * positions, groups, group),
                out: rows(out, sequence * positions, heads, head),
            };
            forward.attend(of_head, first, count, first, positions);
            let lse = lse.at((sequence * positions + first) * heads + head);
            forward.store_lse(lse, heads, count);
        })
    });
}

/// A work item is a head of one sequence.
pub fn emit_cached<'f>(f: &'f Function<'f>, launch: Launch<'f>, body: &CachedAttention) {
    let sizes = Sizes::new(launch);
    let [_batch, positions, capacity, heads, groups] = [0; 5].map(|_| sizes.next());
    let [q, k, v, position, out] = [0, 1, 2, 3, 4].map(|i| launch.buffers.load_pointer(i));
    let shape = Shape::new(body.channels, Precision::F32, f.vectors());
    let forward = Forward::new(f, launch, shape, Scoring::of_cache(body.mask, body.scale));
    let rows = |tensor, first, heads, head| Rows::of_head(tensor, body.channels.into(), first, heads, head);
    let position = position.load_int(f.index(0)).to_index();
    f.each(launch.begin, launch.end, 1, |item| {
        let (sequence, head) = (item / heads, item % heads);
        let group = head / (heads / groups);
        let of_head = Head {
            q: rows(q, sequence * positions, heads, head),
            k: rows(k, sequence * capacity, groups, group),
            v: rows(v, sequence * capacity, groups, group),
            out: rows(out, sequence * positions, heads, head),
        };
        let alone = alone::Head {
            query: of_head.q.pointer,
            keys: of_head.k.pointer,
            values: of_head.v.pointer,
            stride: of_head.k.stride,
            out: of_head.out.pointer,
        };
        f.either(
            positions.equals(f.index(1)),
            || alone::attend(f, launch.scratch, body, alone, position),
            || {
                f.each(f.index(0), positions, QUERIES, |first| {
                    let count = (positions - first).or_at_most(f.index(QUERIES));
                    forward.attend(of_head, first, count, position + first, position + positions);
                });
            },
        );
    });
}

/// The tensors of one head.
#[derive(Clone, Copy)]
struct Head<'f> {
    q: Rows<'f>,
    k: Rows<'f>,
    v: Rows<'f>,
    out: Rows<'f>,
}

struct Forward<'f> {
    f: &'f Function<'f>,
    shape: Shape,
    scoring: Scoring<'f>,
    queries: Pointer<'f>,
    keys: Pointer<'f>,
    values: Pointer<'f>,
    scores: Scores<'f>,
    largest: Pointer<'f>,
    sum: Pointer<'f>,
    fade: Pointer<'f>,
    out: Pointer<'f>,
}

impl<'f> Forward<'f> {
    fn new(f: &'f Function<'f>, launch: Launch<'f>, shape: Shape, scoring: Scoring<'f>) -> Forward<'f> {
        let [queries, keys, values, scores, largest, sum, fade, out] = Scratch::divide(launch.scratch, parts(shape));
        let scores = Scores { pointer: scores, pitch: shape.panel };
        Forward { f, shape, scoring, queries, keys, values, scores, largest, sum, fade, out }
    }

    /// The output of queries `[first, first + count)`, the first of which stands at `position`, over `keys` keys.
    fn attend(&self, head: Head<'f>, first: Index<'f>, count: Index<'f>, position: Index<'f>, keys: Index<'f>) {
        let (f, shape) = (self.f, self.shape);
        let out = head.out.from(first);
        shape.as_lanes(f, head.q.from(first), count, self.queries);
        let sums = shape.begin_sums(f, out, count, self.out);
        self.begin(count);
        let (begin, end) = self.scoring.key_range(position, count, keys, shape.block);
        f.each(begin, end, shape.block, |key| {
            let block = (end - key).or_at_most(f.index(shape.block));
            shape.copy_steps(f, head.k.from(key), block, self.keys);
            shape.copy_summed(f, head.v.from(key), block, self.values);
            f.each(f.index(0), count, shape.panel, |query| {
                let position = position + query;
                let seen = self.scoring.seen(shape, position, key, block);
                let wanted = shape.of_next_head(position / shape.panel, [head.k.from(key), head.v.from(key)]);
                let take = || self.panel(sums, [query, count - query], (position, key, seen), wanted);
                f.when(seen.begin.less(seen.end), take);
            });
        });
        shape.finish_sums(f, sums, (out, count), Some(self.sum));
    }

    fn begin(&self, count: Index<'f>) {
        let (f, shape) = (self.f, self.shape);
        f.each(f.index(0), count.round_up(shape.panel), f.vectors().width as i64, |query| {
            self.largest.store_vector(query, f.vector(LOWEST));
            self.sum.store_vector(query, f.vector(0.0));
        });
    }

    /// Takes up a block of keys, which begins with `key`, for the panel of queries that begins with `query` and stands at `position`; `count` of its queries
    /// exist.
    fn panel(
        &self,
        sums: OverKeys<'f>,
        [query, count]: [Index<'f>; 2],
        (position, key, seen): (Index<'f>, Index<'f>, Seen<'f>),
        wanted: Rows<'f>,
    ) {
        let (f, shape, scoring, scores, fade) = (self.f, self.shape, self.scoring, self.scores, self.fade);
        shape.scores(f, self.keys, (seen.begin, seen.end), shape.panel_of(self.queries, query), scores, wanted);
        let (largest, sum) = (self.largest.at(query), self.sum.at(query));
        Panel { shape, scoring, position, scores, largest, sum, fade }.take(f, key, seen);
        shape.steps_of_keys(f, scores, (seen.begin, seen.end));
        let end = |tile| scoring.end(shape, position + tile, key, seen);
        shape.sum_over_keys(f, sums, [query, count], (scores, seen.begin, end), self.values, Some(fade));
    }

    /// Stores log Σ exp(score) of `count` queries, `stride` apart.
    fn store_lse(&self, lse: Pointer<'f>, stride: Index<'f>, count: Index<'f>) {
        let f = self.f;
        f.strips(f.index(0), count, |query, lanes| {
            let largest = self.largest.load_vector(query);
            let value = largest.times_plus(f.vector(LN_2), log(self.sum.load_vector(query)));
            lse.at(query * stride).scatter(stride, value, lanes);
        });
    }
}
