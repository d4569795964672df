//! The gradients of attention, from the saved log-sum-exp: probabilities are computed again, tile by tile.
//!
//! With P = exp(score − lse), D = Σ do·o for each query: dV = Pᵀ·dO, dP = dO·Vᵀ, dS = scale · P ∘ (dP − D), dQ = dS·K, dK = dSᵀ·Q. As in the
//! forward pass P and dS stand as a row for each key; what is summed over keys reads their columns, what is summed over queries their rows.

use super::head::{Scores, Shape, Sum, odd_lines};
use super::softmax::{Documents, Queries, Scoring};
use super::sums::OverKeys;
use crate::gemm::{Numbers, Rows};
use crate::kernels::rotary::Turning;
use crate::kernels::scratch::Scratch;
use crate::kernels::sizes::Sizes;
use crate::math::exp2_of_softmax;
use crate::mlir::{Function, Index, Launch, Pointer, Vector};
use crate::vectors::Vectors;
use std::f32::consts::LOG2_E;
use tfc_compiler::kernel::AttentionBackward;
use tfc_compiler::precision::Precision;

/// Queries of a block, before it is cut to whole panels.
pub const QUERIES: i64 = 128;

/// At least one panel.
fn queries(shape: Shape) -> i64 {
    QUERIES / shape.panel * shape.panel
}

/// The distance of rows of scores.
fn pitch(shape: Shape) -> i64 {
    odd_lines(queries(shape))
}

/// f32 of scratch.
pub fn scratch_elements(channels: u32, precision: Precision, vectors: Vectors) -> i64 {
    Scratch::total(&parts(Shape::new(channels, precision, vectors)))
}

fn parts(shape: Shape) -> [i64; 13] {
    let count = queries(shape);
    let (lanes, rows, keys) = (shape.lane_elements(count), count * shape.pitch, shape.block * shape.pitch);
    let scores = shape.block * pitch(shape);
    let rounded = |elements| if shape.numbers == Numbers::F32 { 0 } else { elements };
    let (summed, sums) = (rounded(shape.summed_elements()), shape.sums_elements(count));
    [lanes, lanes, rows, rows, count, count, keys, keys, summed, scores, scores, rounded(scores), sums]
}

/// A work item is a group of heads of one sequence: they share the gradients of its keys and values.
pub fn emit<'f>(f: &'f Function<'f>, launch: Launch<'f>, body: &AttentionBackward) {
    let sizes = Sizes::new(launch);
    let [_batch, positions, heads, groups] = [0; 4].map(|_| sizes.next());
    let [q, k, v, out, lse, d_out] = std::array::from_fn(|i| launch.buffers.load_pointer(i as i64));
    let places = body.documents.then(|| launch.buffers.load_pointer(6));
    let [d_q, d_k, d_v] = [6, 7, 8].map(|i| launch.buffers.load_pointer(i + i64::from(body.documents)));
    let tables = 9 + usize::from(body.documents);
    let turning = body.rotary.as_ref().map(|rotary| Turning::read(launch, tables, rotary, positions));
    let heads_of_group = heads / groups;
    let shape = Shape::new(body.channels, body.precision, f.vectors());
    f.with_tiles(shape.in_tiles, || {
        f.each(launch.begin, launch.end, 1, |item| {
            let (sequence, group) = (item / groups, item % groups);
            let documents = places.map(|places| Documents { places: places.at(sequence * positions), positions });
            let backward = Backward::new(f, launch, shape, Scoring::new(f, body.mask, body.scale, documents));
            let rows =
                |tensor, heads, head| Rows::of_head(tensor, body.channels.into(), sequence * positions, heads, head);
            let [k, v, d_k, d_v] = [k, v, d_k, d_v].map(|tensor| rows(tensor, groups, group));
            let turn = |rows: Rows<'f>| {
                let Some(turning) = &turning else { return };
                f.times(positions, |i| turning.head(f, rows.row(i), sequence * positions + i));
            };
            backward.zero(d_k, positions);
            backward.zero(d_v, positions);
            f.times(heads_of_group, |head| {
                let head = group * heads_of_group + head;
                let [q, out, d_out, d_q] = [q, out, d_out, d_q].map(|tensor| rows(tensor, heads, head));
                let lse = Rows { pointer: lse.at(sequence * positions * heads + head), stride: heads };
                backward.head(&Head { q, k, v, out, lse, d_out, d_q, d_k, d_v, positions });
                turn(d_q);
            });
            turn(d_k);
        })
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
    /// Queries and gradients of the output: as lanes, for scores; as rows in steps, for the gradients of keys and values.
    q_lanes: Pointer<'f>,
    d_out_lanes: Pointer<'f>,
    q: Pointer<'f>,
    d_out: Pointer<'f>,
    /// For each query: the log-sum-exp in units of log 2, and D.
    lse: Pointer<'f>,
    through_out: Pointer<'f>,
    /// Keys and values in steps along their channels, for scores, and keys as sums over them read them, for the gradients of queries.
    k: Pointer<'f>,
    v: Pointer<'f>,
    summed_k: Pointer<'f>,
    /// Products of queries and keys, then P in steps of queries.
    weights: Scores<'f>,
    /// Products of gradients and values, then dS, in the end in steps of keys; and that in steps of queries.
    d_scores: Scores<'f>,
    d_steps: Scores<'f>,
    /// The gradients of queries, where they are not summed in their own memory.
    d_q: Pointer<'f>,
}

impl<'f> Backward<'f> {
    fn new(f: &'f Function<'f>, launch: Launch<'f>, shape: Shape, scoring: Scoring<'f>) -> Backward<'f> {
        let [q_lanes, d_out_lanes, q, d_out, lse, through_out, k, v, summed_k, weights, d_scores, d_steps, d_q] =
            Scratch::divide(launch.scratch, parts(shape));
        // Where nothing is rounded, one is the other.
        let [summed_k, d_steps] = if shape.numbers == Numbers::F32 { [k, d_scores] } else { [summed_k, d_steps] };
        let [weights, d_scores, d_steps] =
            [weights, d_scores, d_steps].map(|pointer| Scores { pointer, pitch: pitch(shape) });
        Backward {
            f,
            shape,
            scoring,
            q_lanes,
            d_out_lanes,
            q,
            d_out,
            lse,
            through_out,
            k,
            v,
            summed_k,
            weights,
            d_scores,
            d_steps,
            d_q,
        }
    }

    fn zero(&self, rows: Rows<'f>, count: Index<'f>) {
        let f = self.f;
        f.times(count, |i| {
            let row = rows.row(i);
            self.shape.each_register(f, |channel, lanes| row.store_lanes(channel, f.vector(0.0), lanes));
        });
    }

    fn head(&self, head: &Head<'f>) {
        let (f, shape, scoring) = (self.f, self.shape, self.scoring);
        let block = queries(shape);
        f.each(f.index(0), head.positions, block, |first| {
            let count = (head.positions - first).or_at_most(f.index(block));
            self.begin(head, first, count);
            let d_q = head.d_q.from(first);
            let sums = shape.begin_sums(f, d_q, count, self.d_q);
            let (begin, end) = scoring.key_range(first, count, head.positions, shape.block);
            f.each(begin, end, shape.block, |key| {
                let keys = (end - key).or_at_most(f.index(shape.block));
                shape.copy_steps(f, head.k.from(key), keys, self.k);
                shape.copy_steps(f, head.v.from(key), keys, self.v);
                if shape.numbers != Numbers::F32 {
                    shape.copy_summed(f, head.k.from(key), keys, self.summed_k);
                }
                f.each(f.index(0), count, shape.panel, |query| {
                    let number = (first + query) / shape.panel;
                    let of_keys = [head.k.from(key), head.q.from(first)];
                    let of_values = [head.v.from(key), head.d_out.from(first)];
                    let wanted = [of_keys, of_values].map(|tensors| shape.of_next_head(number, tensors));
                    self.panel(sums, [query, count - query], (first + query, key, keys), wanted);
                });
                f.each(f.index(0), keys, shape.keys, |tile| {
                    let queries = scoring.seen_by(shape, key + tile, first, count);
                    let row = |scores: Scores<'f>| Scores { pointer: scores.at(tile, f.index(0)), ..scores };
                    let sum =
                        |rows: Rows<'f>| Sum { out: rows.from(key + tile), last_row: keys - tile - 1, fade: None };
                    shape.sum_over_queries(f, row(self.weights), queries, self.d_out, sum(head.d_v));
                    shape.sum_over_queries(f, row(self.d_steps), queries, self.q, sum(head.d_k));
                });
            });
            shape.finish_sums(f, sums, (d_q, count), None);
        });
    }

    /// What belongs to a block of queries.
    fn begin(&self, head: &Head<'f>, first: Index<'f>, count: Index<'f>) {
        let (f, shape) = (self.f, self.shape);
        let (q, d_out) = (head.q.from(first), head.d_out.from(first));
        shape.as_lanes(f, q, count, self.q_lanes);
        shape.as_lanes(f, d_out, count, self.d_out_lanes);
        shape.copy_across(f, q, count, self.q);
        shape.copy_across(f, d_out, count, self.d_out);
        // Lanes of a panel that are no query repeat the last, as its products do: what is made of them is a number, times 0.
        f.times(count.round_up(shape.panel), |lane| {
            let i = lane.or_at_most(count - 1);
            let (out, d_out) = (head.out.row(first + i), d_out.row(i));
            let dot = f.carry_strips(f.index(0), f.index(shape.channels), f.vector(0.0), |c, lanes, sum| {
                out.load_lanes(c, lanes).times_plus(d_out.load_lanes(c, lanes), sum)
            });
            self.through_out.store(lane, dot.sum());
            self.lse.store(lane, head.lse.row(first + i).load(f.index(0)) * LOG2_E);
        });
    }

    /// P and dS of a panel of queries, `count` of which exist, and of the keys `[key, key + keys)`; and what they add to dQ.
    fn panel(
        &self,
        sums: OverKeys<'f>,
        [query, count]: [Index<'f>; 2],
        (position, key, keys): (Index<'f>, Index<'f>, Index<'f>),
        [wanted_of_keys, wanted_of_values]: [Rows<'f>; 2],
    ) {
        let (f, shape, scoring) = (self.f, self.shape, self.scoring);
        let seen = scoring.seen(shape, position, key, keys);
        let [weights, d_scores] = [self.weights, self.d_scores].map(|scores| scores.from(query));
        let steps = [self.weights, self.d_steps].map(|scores| scores.from(query / shape.numbers.step()));
        let [q, d_out] = [self.q_lanes, self.d_out_lanes].map(|lanes| shape.panel_of(lanes, query));
        shape.scores(f, self.k, (seen.begin, seen.end), q, weights, wanted_of_keys);
        shape.scores(f, self.v, (seen.begin, seen.end), d_out, d_scores, wanted_of_values);
        let lanes = shape.panel_registers(f);
        let queries: Vec<Queries> = lanes.iter().map(|lane| scoring.queries(position + *lane)).collect();
        let of_queries =
            |from: Pointer<'f>| lanes.iter().map(|lane| from.load_vector(query + *lane)).collect::<Vec<_>>();
        let (lse, through_out) = (of_queries(self.lse), of_queries(self.through_out));
        scoring.fold(f, seen, (), |row, masked, ()| {
            let at = |scores: Scores<'f>, register: usize| scores.at(row, lanes[register]);
            let register = |r: usize| {
                let product = at(weights, r).load_vector(f.index(0));
                let p = exp2_of_softmax(product.times_plus(f.vector(scoring.factor()), -lse[r]));
                let p = match scoring.sees(key + row, queries[r]).filter(|_| masked) {
                    Some(seen) => seen.select(p, f.vector(0.0)),
                    None => p,
                };
                let d_p = at(d_scores, r).load_vector(f.index(0)) - through_out[r];
                (p, d_p * p * scoring.scale)
            };
            let (p, d_score): (Vec<Vector>, Vec<Vector>) = (0..lanes.len()).map(register).unzip();
            d_score.iter().enumerate().for_each(|(r, d)| at(d_scores, r).store_vector(f.index(0), *d));
            let [p_steps, d_steps] = steps.map(|scores| scores.at(row, f.index(0)));
            shape.store_steps(p_steps, &p);
            if shape.numbers != Numbers::F32 {
                shape.store_steps(d_steps, &d_score);
            }
        });
        shape.steps_of_keys(f, d_scores, (seen.begin, seen.end));
        let end = |tile| scoring.end(shape, position + tile, key, seen);
        shape.sum_over_keys(f, sums, [query, count], (d_scores, seen.begin, end), self.summed_k, None);
    }
}
