//! Attention of one block of queries: keys go by in blocks, the softmax keeps up.

use super::KEYS;
use super::head::{Rows, Shape};
use super::softmax::{Documents, LOWEST, Panel, Scoring};
use crate::gemm::round_up;
use crate::kernels::scratch::Scratch;
use crate::kernels::sizes::Sizes;
use crate::math::log;
use crate::mlir::{Function, Index, Launch, Pointer};
use crate::vectors::Vectors;
use tfc_compiler::kernel::{Attention, CachedAttention};

const QUERIES: i64 = Attention::ROW_BLOCK;

/// f32 of scratch.
pub fn scratch_elements(channels: u32, vectors: Vectors) -> i64 {
    Scratch::total(&parts(Shape::new(channels, vectors)))
}

/// Packed queries, keys and values, scores, accumulated output, largest scores, sums.
fn parts(shape: Shape) -> [i64; 7] {
    let queries = round_up(QUERIES, shape.b.lanes);
    [
        shape.b.elements(QUERIES, shape.channels),
        shape.a.elements(KEYS, shape.channels),
        shape.a.elements(shape.channels, KEYS),
        shape.score_elements(),
        queries * shape.channel_rows(),
        queries,
        queries,
    ]
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
    f.each(launch.begin, launch.end, 1, |item| {
        let (head, first) = (item / blocks, item % blocks * QUERIES);
        let (sequence, head) = (head / heads, head % heads);
        let group = head / (heads / groups);
        let documents = places.map(|places| Documents { places: places.at(sequence * positions), positions });
        let scoring = Scoring { mask: body.mask, scale: body.scale.0 as f32, documents };
        let forward = Forward::new(f, launch, body.channels, scoring);
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
    });
}

/// A work item is a head of one sequence.
pub fn emit_cached<'f>(f: &'f Function<'f>, launch: Launch<'f>, body: &CachedAttention) {
    let sizes = Sizes::new(launch);
    let [_batch, positions, capacity, heads, groups] = [0; 5].map(|_| sizes.next());
    let [q, k, v, position, out] = [0, 1, 2, 3, 4].map(|i| launch.buffers.load_pointer(i));
    let scoring = Scoring { mask: body.mask, scale: body.scale.0 as f32, documents: None };
    let forward = Forward::new(f, launch, body.channels, scoring);
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
        f.each(f.index(0), positions, QUERIES, |first| {
            let count = (positions - first).or_at_most(f.index(QUERIES));
            forward.attend(of_head, first, count, position + first, position + positions);
        });
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
    scores: Pointer<'f>,
    out: Pointer<'f>,
    largest: Pointer<'f>,
    sum: Pointer<'f>,
}

impl<'f> Forward<'f> {
    fn new(f: &'f Function<'f>, launch: Launch<'f>, channels: u32, scoring: Scoring<'f>) -> Forward<'f> {
        let shape = Shape::new(channels, f.vectors());
        let [queries, keys, values, scores, out, largest, sum] = Scratch::divide(launch.scratch, parts(shape));
        Forward { f, shape, scoring, queries, keys, values, scores, out, largest, sum }
    }

    /// The output of queries `[first, first + count)`, the first of which stands at `position`, over `keys` keys.
    fn attend(&self, head: Head<'f>, first: Index<'f>, count: Index<'f>, position: Index<'f>, keys: Index<'f>) {
        let (f, shape) = (self.f, self.shape);
        shape.as_lanes(f, shape.b, head.q.from(first), count, self.queries);
        self.begin(count);
        let (begin, end) = self.scoring.key_range(position, count, keys, KEYS);
        f.each(begin, end, KEYS, |key| {
            let block = (end - key).or_at_most(f.index(KEYS));
            shape.as_lanes(f, shape.a, head.k.from(key), block, self.keys);
            shape.as_steps(f, shape.a, head.v.from(key), block, self.values);
            let (keys, values) = (shape.lanes(f, shape.a, self.keys), shape.steps(shape.a, self.values, block));
            let queries = shape.lanes(f, shape.b, self.queries);
            f.each(f.index(0), count, shape.b.lanes, |query| {
                shape.product(f, keys, block, queries.panel(query / shape.b.lanes), self.scores, false);
                let out = self.out.at(query * shape.channel_rows());
                let (largest, sum) = (self.largest.at(query), self.sum.at(query));
                let (scoring, position, scores) = (self.scoring, position + query, self.scores);
                Panel { shape, scoring, position, scores, out, largest, sum }.take(f, key, block);
                shape.product(f, values, f.index(shape.channels), self.scores, out, true);
            });
        });
        f.each(f.index(0), count, shape.width, |query| {
            let lanes =
                self.out.at(query / shape.b.lanes * shape.b.lanes * shape.channel_rows() + query % shape.b.lanes);
            let scale = f.vector(1.0) / self.sum.load_vector(query);
            let there = (count - query).or_at_most(f.index(shape.width));
            shape.store_lanes(f, lanes, Some(scale), head.out.from(first + query), there);
        });
    }

    fn begin(&self, count: Index<'f>) {
        let (f, width) = (self.f, self.shape.width);
        let panels = count.round_up(self.shape.b.lanes);
        let fill = |to: Pointer<'f>, end: Index<'f>, value: f32| {
            f.each(f.index(0), end, width, |i| to.store_vector(i, f.vector(value)))
        };
        fill(self.out, panels * self.shape.channel_rows(), 0.0);
        fill(self.largest, panels, LOWEST);
        fill(self.sum, panels, 0.0);
    }

    /// Stores log Σ exp(score) of `count` queries, `stride` apart.
    fn store_lse(&self, lse: Pointer<'f>, stride: Index<'f>, count: Index<'f>) {
        let f = self.f;
        f.strips(f.index(0), count, |query, lanes| {
            let value = self.largest.load_vector(query) + log(self.sum.load_vector(query));
            lse.at(query * stride).scatter(stride, value, lanes);
        });
    }
}
