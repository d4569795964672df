//! The gradients of attention, from the saved log-sum-exp: probabilities are computed again, tile by tile.
//!
//! With P = exp(score − lse), D = Σ do·o for each query: dV = Pᵀ·dO, dP = dO·Vᵀ, dS = scale · P ∘ (dP − D), dQ = dS·K, dK = dSᵀ·Q. As in the
//! forward pass queries are lanes; P and dS are turned once for the products that sum over queries.

use super::KEYS;
use super::head::{Panelled, Rows, Shape};
use super::softmax::{Documents, Scoring};
use crate::gemm::{Block, Panels, multiply, pack_panel};
use crate::kernels::scratch::Scratch;
use crate::kernels::sizes::Sizes;
use crate::math::exp_or_zero;
use crate::mlir::{Function, Index, Launch, Pointer};
use crate::vectors::Vectors;
use tfc_compiler::kernel::AttentionBackward;

/// Queries of a block, before it is cut to whole panels.
const QUERIES: i64 = 128;

fn queries(shape: Shape) -> i64 {
    QUERIES / shape.b.lanes * shape.b.lanes
}

/// f32 of scratch.
pub fn scratch_elements(channels: u32, vectors: Vectors) -> i64 {
    Scratch::total(&parts(Shape::new(channels, vectors)))
}

fn parts(shape: Shape) -> [i64; 14] {
    let (Shape { a, b, channels, .. }, count) = (shape, queries(shape));
    [
        b.elements(count, channels),
        b.elements(count, channels),
        b.elements(channels, count),
        b.elements(channels, count),
        count,
        count,
        count * shape.channel_rows(),
        a.elements(KEYS, channels),
        a.elements(KEYS, channels),
        a.elements(channels, KEYS),
        shape.score_elements(),
        shape.score_elements(),
        a.elements(KEYS, count),
        a.elements(KEYS, count),
    ]
}

/// A work item is a group of heads of one sequence: they share the gradients of its keys and values.
pub fn emit<'f>(f: &'f Function<'f>, launch: Launch<'f>, body: &AttentionBackward) {
    let sizes = Sizes::new(launch);
    let [_batch, positions, heads, groups] = [0; 4].map(|_| sizes.next());
    let [q, k, v, out, lse, d_out] = std::array::from_fn(|i| launch.buffers.load_pointer(i as i64));
    let places = body.documents.then(|| launch.buffers.load_pointer(6));
    let [d_q, d_k, d_v] = [6, 7, 8].map(|i| launch.buffers.load_pointer(i + i64::from(body.documents)));
    let heads_of_group = heads / groups;
    f.each(launch.begin, launch.end, 1, |item| {
        let (sequence, group) = (item / groups, item % groups);
        let documents = places.map(|places| Documents { places: places.at(sequence * positions), positions });
        let scoring = Scoring { mask: body.mask, scale: body.scale.0 as f32, documents };
        let backward = Backward::new(f, launch, body.channels, scoring);
        let rows = |tensor, heads, head| Rows::of_head(tensor, body.channels.into(), sequence * positions, heads, head);
        let [k, v, d_k, d_v] = [k, v, d_k, d_v].map(|tensor| rows(tensor, groups, group));
        backward.zero(d_k, positions);
        backward.zero(d_v, positions);
        f.times(heads_of_group, |head| {
            let head = group * heads_of_group + head;
            let [q, out, d_out, d_q] = [q, out, d_out, d_q].map(|tensor| rows(tensor, heads, head));
            let lse = Rows { pointer: lse.at(sequence * positions * heads + head), stride: heads };
            backward.head(&Head { q, k, v, out, lse, d_out, d_q, d_k, d_v, positions });
        });
    });
}

/// The tensors of one head.
struct Head<'f> {
    q: Rows<'f>,
    k: Rows<'f>,
    v: Rows<'f>,
    out: Rows<'f>,
    /// One number for each query.
    lse: Rows<'f>,
    d_out: Rows<'f>,
    d_q: Rows<'f>,
    d_k: Rows<'f>,
    d_v: Rows<'f>,
    positions: Index<'f>,
}

struct Backward<'f> {
    f: &'f Function<'f>,
    shape: Shape,
    scoring: Scoring<'f>,
    /// Queries and gradients of the output: as lanes, for scores; as k, for the gradients of keys and values.
    q_lanes: Pointer<'f>,
    d_out_lanes: Pointer<'f>,
    q_channels: Pointer<'f>,
    d_out_channels: Pointer<'f>,
    /// For each query.
    lse: Pointer<'f>,
    through_out: Pointer<'f>,
    /// `[channels, columns]` for each panel of queries.
    d_q: Pointer<'f>,
    k_lanes: Pointer<'f>,
    v_lanes: Pointer<'f>,
    k_channels: Pointer<'f>,
    /// `[keys, columns]`: P and dS of a panel of queries.
    weights: Pointer<'f>,
    d_scores: Pointer<'f>,
    /// `[queries, rows]` for each panel of keys: P and dS of all queries of the block.
    turned_weights: Pointer<'f>,
    turned_d_scores: Pointer<'f>,
    tile: Pointer<'f>,
}

impl<'f> Backward<'f> {
    fn new(f: &'f Function<'f>, launch: Launch<'f>, channels: u32, scoring: Scoring<'f>) -> Backward<'f> {
        let shape = Shape::new(channels, f.vectors());
        let parts = Scratch::divide(launch.scratch, parts(shape));
        let [q_lanes, d_out_lanes, q_channels, d_out_channels, lse, through_out, d_q, ..] = parts;
        let [.., k_lanes, v_lanes, k_channels, weights, d_scores, turned_weights, turned_d_scores] = parts;
        Backward {
            f,
            shape,
            scoring,
            q_lanes,
            d_out_lanes,
            q_channels,
            d_out_channels,
            lse,
            through_out,
            d_q,
            k_lanes,
            v_lanes,
            k_channels,
            weights,
            d_scores,
            turned_weights,
            turned_d_scores,
            tile: f.stack(shape.a.lanes * shape.b.lanes),
        }
    }

    fn zero(&self, rows: Rows<'f>, count: Index<'f>) {
        let f = self.f;
        f.times(count, |i| {
            let row = rows.row(i);
            f.strips(f.index(0), f.index(self.shape.channels), |c, lanes| row.store_lanes(c, f.vector(0.0), lanes));
        });
    }

    fn head(&self, head: &Head<'f>) {
        let (f, shape) = (self.f, self.shape);
        let block = queries(shape);
        f.each(f.index(0), head.positions, block, |first| {
            let count = (head.positions - first).or_at_most(f.index(block));
            self.begin(head, first, count);
            let (begin, end) = self.scoring.key_range(first, count, head.positions, KEYS);
            f.each(begin, end, KEYS, |key| {
                let keys = (end - key).or_at_most(f.index(KEYS));
                shape.as_lanes(f, shape.a, head.k.from(key), keys, self.k_lanes);
                shape.as_lanes(f, shape.a, head.v.from(key), keys, self.v_lanes);
                shape.as_steps(f, shape.a, head.k.from(key), keys, self.k_channels);
                f.each(f.index(0), count, shape.b.lanes, |query| self.panel(first, query, count, key, keys));
                self.add_products(self.turned_weights, self.d_out_channels, count, keys, head.d_v.from(key));
                self.add_products(self.turned_d_scores, self.q_channels, count, keys, head.d_k.from(key));
            });
            f.each(f.index(0), count, shape.width, |query| {
                let lanes =
                    self.d_q.at(query / shape.b.lanes * shape.b.lanes * shape.channel_rows() + query % shape.b.lanes);
                let there = (count - query).or_at_most(f.index(shape.width));
                shape.store_lanes(f, lanes, None, head.d_q.from(first + query), there);
            });
        });
    }

    /// What belongs to a block of queries.
    fn begin(&self, head: &Head<'f>, first: Index<'f>, count: Index<'f>) {
        let (f, shape) = (self.f, self.shape);
        let (q, d_out) = (head.q.from(first), head.d_out.from(first));
        shape.as_lanes(f, shape.b, q, count, self.q_lanes);
        shape.as_lanes(f, shape.b, d_out, count, self.d_out_lanes);
        shape.as_steps(f, shape.b, q, count, self.q_channels);
        shape.as_steps(f, shape.b, d_out, count, self.d_out_channels);
        f.times(count, |i| {
            let (out, d_out) = (head.out.row(first + i), d_out.row(i));
            let dot = f.carry_strips(f.index(0), f.index(shape.channels), f.vector(0.0), |c, lanes, sum| {
                out.load_lanes(c, lanes).times_plus(d_out.load_lanes(c, lanes), sum)
            });
            self.through_out.store(i, dot.sum());
            self.lse.store(i, head.lse.row(first + i).load(f.index(0)));
        });
        let elements = count.round_up(shape.b.lanes) * shape.channel_rows();
        f.each(f.index(0), elements, shape.width, |i| self.d_q.store_vector(i, f.vector(0.0)));
    }

    /// P and dS of a panel of queries and a block of keys, and what they add to dQ.
    fn panel(&self, first: Index<'f>, query: Index<'f>, count: Index<'f>, key: Index<'f>, keys: Index<'f>) {
        let (f, shape) = (self.f, self.shape);
        let panel = query / shape.b.lanes;
        let [q, d_out] = [self.q_lanes, self.d_out_lanes].map(|packed| shape.lanes(f, shape.b, packed).panel(panel));
        let [k, v] = [self.k_lanes, self.v_lanes].map(|packed| shape.lanes(f, shape.a, packed));
        shape.product(f, k, keys, q, self.weights, false);
        shape.product(f, v, keys, d_out, self.d_scores, false);
        f.each(f.index(0), f.index(shape.b.lanes), shape.width, |lane| {
            let queries = self.scoring.queries(first + query + lane);
            let (lse, through_out) = (self.lse.load_vector(query + lane), self.through_out.load_vector(query + lane));
            f.times(keys, |row| {
                let at = row * shape.b.lanes + lane;
                let weight = exp_or_zero(self.scoring.score(self.weights.load_vector(at), key + row, queries) - lse);
                let d_score = (self.d_scores.load_vector(at) - through_out) * weight * self.scoring.scale;
                self.weights.store_vector(at, weight);
                self.d_scores.store_vector(at, d_score);
            });
        });
        let d_q = self.d_q.at(query * shape.channel_rows());
        shape.product(
            f,
            shape.steps(shape.a, self.k_channels, keys),
            f.index(shape.channels),
            self.d_scores,
            d_q,
            true,
        );
        // Keys become lanes, queries steps of k: this panel's stand behind those of the panels before.
        let depth = (count - query).or_at_most(f.index(shape.b.lanes));
        for (tile, turned) in [(self.weights, self.turned_weights), (self.d_scores, self.turned_d_scores)] {
            f.each(f.index(0), keys, shape.a.lanes, |row| {
                let source = tile.at(row * shape.b.lanes);
                let block = Block { source, leading: f.index(shape.b.lanes), lanes: keys - row, depth };
                let panel = turned.at(row / shape.a.lanes * shape.a.distance(f.index(queries(shape))));
                pack_panel(f, shape.a, block, panel.at(query * shape.a.pitch));
            });
        }
    }

    /// Adds A · B, where A is a turned tile and B the block's queries or gradients, to the rows of a block of keys.
    fn add_products(&self, turned: Pointer<'f>, b: Pointer<'f>, count: Index<'f>, keys: Index<'f>, out: Rows<'f>) {
        let (f, shape) = (self.f, self.shape);
        let a = Panelled { first: turned, distance: shape.a.distance(f.index(queries(shape))), k: count };
        let b = shape.steps(shape.b, b, count);
        f.each(f.index(0), f.index(shape.channels), shape.b.lanes, |channel| {
            let columns = (f.index(shape.channels) - channel).or_at_most(f.index(shape.b.lanes));
            f.each(f.index(0), keys, shape.a.lanes, |row| {
                let (a, b) = (a.panel(row / shape.a.lanes), b.panel(channel / shape.b.lanes));
                multiply(f, Panels { a, b, k: count, tile: self.tile, accumulate: f.truth(false) });
                f.times((keys - row).or_at_most(f.index(shape.a.lanes)), |r| {
                    let (out, tile) = (out.row(row + r).at(channel), self.tile.at(r * shape.b.lanes));
                    f.strips(f.index(0), columns, |c, lanes| {
                        out.store_lanes(c, out.load_lanes(c, lanes) + tile.load_lanes(c, lanes), lanes);
                    });
                });
            });
        });
    }
}
