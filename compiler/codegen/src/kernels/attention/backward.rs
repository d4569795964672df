//! The gradients of attention, from the saved log-sum-exp: probabilities are computed again, tile by tile.
//!
//! With P = exp(score − lse), D = Σ do·o for each query: dV = Pᵀ·dO, dP = dO·Vᵀ, dS = scale · P ∘ (dP − D), dQ = dS·K, dK = dSᵀ·Q. As in the
//! forward pass queries are lanes; P and dS are turned once for the products that sum over queries.

use super::KEYS;
use super::head::{Panelled, Rows, Shape, round_up};
use super::softmax::Scoring;
use crate::gemm::{Panels, multiply};
use crate::kernels::scratch::Scratch;
use crate::kernels::sizes::Sizes;
use crate::math::exp_below_zero;
use crate::mlir::{Function, Index, Launch, Pointer};
use crate::vectors::Vectors;
use tfc_compiler::kernel::AttentionBackward;

/// Queries of a block, before it is cut to whole panels.
const QUERIES: i64 = 128;

fn queries(shape: Shape) -> i64 {
    QUERIES / shape.columns * shape.columns
}

/// f32 of scratch.
pub fn scratch_elements(channels: u32, vectors: Vectors) -> i64 {
    Scratch::total(&parts(Shape::new(channels, vectors)))
}

fn parts(shape: Shape) -> [i64; 14] {
    let count = queries(shape);
    let turned = KEYS / shape.rows * turned_distance(shape);
    [
        shape.lanes_of_b_elements(count),
        shape.lanes_of_b_elements(count),
        shape.channels_of_b_elements(count),
        shape.channels_of_b_elements(count),
        count,
        count,
        count * shape.channel_rows(),
        shape.lanes_of_a_elements(KEYS),
        shape.lanes_of_a_elements(KEYS),
        shape.channels_of_a_elements(KEYS),
        shape.score_elements(),
        shape.score_elements(),
        turned,
        turned,
    ]
}

/// The distance of panels of turned tiles: they are filled a panel of queries after the other, and each writes a little too far.
fn turned_distance(shape: Shape) -> i64 {
    queries(shape) * shape.rows + round_up(shape.width, shape.rows)
}

/// A work item is a group of heads of one sequence: they share the gradients of its keys and values.
pub fn emit<'f>(f: &'f Function<'f>, launch: Launch<'f>, body: &AttentionBackward) {
    let sizes = Sizes::new(launch);
    let [_batch, positions, heads, groups] = [0; 4].map(|_| sizes.next());
    let [q, k, v, out, lse, d_out, d_q, d_k, d_v] = std::array::from_fn(|i| launch.buffers.load_pointer(i as i64));
    let backward = Backward::new(f, launch, body);
    let heads_of_group = heads / groups;
    f.each(launch.begin, launch.end, 1, |item| {
        let (sequence, group) = (item / groups, item % groups);
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
    scoring: Scoring,
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
    fn new(f: &'f Function<'f>, launch: Launch<'f>, body: &AttentionBackward) -> Backward<'f> {
        let shape = Shape::new(body.channels, f.vectors());
        let scoring = Scoring { mask: body.mask, scale: body.scale.0 as f32 };
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
            tile: f.stack(shape.rows * shape.columns),
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
                shape.lanes_of_a(f, head.k, key, keys, self.k_lanes);
                shape.lanes_of_a(f, head.v, key, keys, self.v_lanes);
                shape.channels_of_a(f, head.k, key, keys, self.k_channels);
                f.each(f.index(0), count, shape.columns, |query| self.panel(first, query, count, key, keys));
                self.add_products(self.turned_weights, self.d_out_channels, count, keys, head.d_v.from(key));
                self.add_products(self.turned_d_scores, self.q_channels, count, keys, head.d_k.from(key));
            });
            f.each(f.index(0), count, shape.width, |query| {
                let lanes =
                    self.d_q.at(query / shape.columns * shape.columns * shape.channel_rows() + query % shape.columns);
                let there = (count - query).or_at_most(f.index(shape.width));
                shape.store_lanes(f, lanes, None, head.d_q.from(first + query), there);
            });
        });
    }

    /// What belongs to a block of queries.
    fn begin(&self, head: &Head<'f>, first: Index<'f>, count: Index<'f>) {
        let (f, shape) = (self.f, self.shape);
        shape.lanes_of_b(f, head.q, first, count, self.q_lanes);
        shape.lanes_of_b(f, head.d_out, first, count, self.d_out_lanes);
        shape.channels_of_b(f, head.q, first, count, self.q_channels);
        shape.channels_of_b(f, head.d_out, first, count, self.d_out_channels);
        f.times(count, |i| {
            let (out, d_out) = (head.out.row(first + i), head.d_out.row(first + i));
            let dot = f.carry_strips(f.index(0), f.index(shape.channels), f.vector(0.0), |c, lanes, sum| {
                out.load_lanes(c, lanes).times_plus(d_out.load_lanes(c, lanes), sum)
            });
            self.through_out.store(i, dot.sum());
            self.lse.store(i, head.lse.row(first + i).load(f.index(0)));
        });
        let elements = count.round_up(shape.columns) * shape.channel_rows();
        f.each(f.index(0), elements, shape.width, |i| self.d_q.store_vector(i, f.vector(0.0)));
    }

    /// P and dS of a panel of queries and a block of keys, and what they add to dQ.
    fn panel(&self, first: Index<'f>, query: Index<'f>, count: Index<'f>, key: Index<'f>, keys: Index<'f>) {
        let (f, shape) = (self.f, self.shape);
        let lanes = query * shape.packed_channels();
        shape.product(f, shape.of_lanes(f, self.k_lanes), keys, self.q_lanes.at(lanes), self.weights, false);
        shape.product(f, shape.of_lanes(f, self.v_lanes), keys, self.d_out_lanes.at(lanes), self.d_scores, false);
        f.each(f.index(0), f.index(shape.columns), shape.width, |lane| {
            let positions = (first + query + lane).counting();
            let (lse, through_out) = (self.lse.load_vector(query + lane), self.through_out.load_vector(query + lane));
            f.times(keys, |row| {
                let at = row * shape.columns + lane;
                let weight =
                    exp_below_zero(self.scoring.score(self.weights.load_vector(at), key + row, positions) - lse);
                let d_score = (self.d_scores.load_vector(at) - through_out) * weight * self.scoring.scale;
                self.weights.store_vector(at, weight);
                self.d_scores.store_vector(at, d_score);
            });
        });
        let d_q = self.d_q.at(query * shape.channel_rows());
        shape.product(f, shape.of_channels(self.k_channels, keys), f.index(shape.channels), self.d_scores, d_q, true);
        let there = (count - query).or_at_most(f.index(shape.columns));
        for (tile, turned) in [(self.weights, self.turned_weights), (self.d_scores, self.turned_d_scores)] {
            f.each(f.index(0), keys, shape.rows, |row| {
                let rows = Rows { pointer: tile.at(row * shape.columns), stride: f.index(shape.columns) };
                let to = turned.at(row / shape.rows * turned_distance(shape) + query * shape.rows);
                shape.pack_panel(f, rows, keys - row, there, to, shape.rows);
            });
        }
    }

    /// Adds A · B, where A is a turned tile and B the block's queries or gradients, to the rows of a block of keys.
    fn add_products(&self, turned: Pointer<'f>, b: Pointer<'f>, count: Index<'f>, keys: Index<'f>, out: Rows<'f>) {
        let (f, shape) = (self.f, self.shape);
        let a = Panelled { first: turned, distance: f.index(turned_distance(shape)), k: count };
        f.each(f.index(0), f.index(shape.channels), shape.columns, |channel| {
            let columns = (f.index(shape.channels) - channel).or_at_most(f.index(shape.columns));
            f.each(f.index(0), keys, shape.rows, |row| {
                let (a, b) = (a.panel(row / shape.rows), b.at(channel * count));
                let (b_stride, accumulate) = (f.index(shape.columns), f.index(0));
                multiply(f, &Panels { a, b, b_stride, k: count, tile: self.tile, accumulate });
                f.times((keys - row).or_at_most(f.index(shape.rows)), |r| {
                    let (out, tile) = (out.row(row + r).at(channel), self.tile.at(r * shape.columns));
                    f.strips(f.index(0), columns, |c, lanes| {
                        out.store_lanes(c, out.load_lanes(c, lanes) + tile.load_lanes(c, lanes), lanes);
                    });
                });
            });
        });
    }
}
