//! The gradients of attention, from the saved log-sum-exp: scores are computed again, tile by tile.
//!
//! With P = exp(score − lse), D = Σ do·o for each query: dV = Pᵀ·dO, dP = dO·Vᵀ, dS = scale · P ∘ (dP − D), dQ = dS·K, dK = dSᵀ·Q. A block has queries and walks along
//! keys, or keys of a group of heads and walks along the queries of all its heads. Of heads so wide that the sums of two gradients have no room in registers, a
//! block computes a part of the channels of its gradients.

use super::heads::Rows;
use super::scoring::{Scoring, Token};
use super::tile::{Channels, Part, Shape, Sums, Worker};
use crate::cuda::architecture::Architecture;
use crate::cuda::kernels::launch::first;
use crate::cuda::kernels::rotary::turn_heads;
use crate::kernels::rotary::Turning;
use crate::math::exp2_of_softmax;
use crate::mlir::{Function, GpuLaunch, Index, Int32, Pointer, Scalar, Shared};
use std::f32::consts::LOG2_E;
use tfc_compiler::executable::{Extent, Geometry};
use tfc_compiler::kernel::AttentionBackward;

/// Rows of a tile that goes by: as many as leave the sums of two gradients in registers.
fn columns(channels: Channels) -> i64 {
    if channels.pitch() <= 32 { 32 } else { 16 }
}

/// Tiles of each tensor that goes by: one is multiplied while the next is on its way.
const TILES: i64 = 2;

/// Numbers that are kept for each query.
const STATISTICS: i64 = 3;

/// Of a thread: two gradients, a tile of products and one of their gradients, and up to 148 for the rest, as ptxas took them.
pub fn registers(channels: u32) -> i64 {
    let channels = Channels(channels.into());
    let of_block = channels.pitch() / channels.parts();
    (2 * of_block / 8 * 4 + 2 * (columns(channels) / 8 * 4) + 148).min(255)
}

fn shared_words(channels: Channels, shape: Shape) -> i64 {
    2 * (shape.rows + shape.tiles * columns(channels)) * channels.pitch() + STATISTICS * most_queries(channels, shape)
}

/// That statistics are kept of at once: those of the block, or of a tile that goes by.
fn most_queries(channels: Channels, shape: Shape) -> i64 {
    shape.rows.max(columns(channels))
}

fn shape(architecture: Architecture, channels: Channels) -> Shape {
    Shape::choose(architecture, TILES, |shape| shared_words(channels, shape))
}

pub fn geometry(architecture: Architecture, body: &AttentionBackward) -> Geometry {
    let channels = Channels(body.channels.into());
    let shape = shape(architecture, channels);
    let heads = (0..channels.parts()).flat_map(|_| [Extent::Size(2), Extent::Size(3)]);
    let blocks = vec![Extent::Size(0), Extent::Sum(heads.collect()), Extent::Size(1).units(shape.rows)];
    let shared_bytes = 4 * shared_words(channels, shape) as u32;
    Geometry { threads: shape.threads(), blocks: Extent::Product(blocks), shared_bytes }
}

pub fn emit<'f>(f: &'f Function<'f>, launch: &GpuLaunch<'f>, architecture: Architecture, body: &AttentionBackward) {
    let [_batch, positions, heads, groups] = first(&launch.sizes);
    let [q, k, v, out, lse, d_out] = first(&launch.buffers);
    let [d_q, d_k, d_v] = [6, 7, 8].map(|i| launch.buffers[i + usize::from(body.documents)]);
    let channels = Channels(body.channels.into());
    let worker = Worker::this(f, shape(architecture, channels));
    let (number, blocks) = (f.block_number() / channels.parts(), positions.ceiling_division(worker.shape.rows));
    let (row, column) = (number % blocks * worker.shape.rows, number / blocks % (heads + groups));
    let sequence = number / blocks / (heads + groups);
    let places = body.documents.then(|| launch.buffers[6].at(sequence * positions));
    let rows = |tensor, heads, head| Rows::of_head(tensor, channels.0, (sequence, positions, positions), heads, head);
    let table = |i: usize| launch.buffers[9 + usize::from(body.documents) + i];
    let backward = Backward {
        f,
        turning: body.rotary.as_ref().map(|rotary| Turning::new(rotary, [0, 1, 2].map(table), positions)),
        first_token: sequence * positions,
        channels,
        part: channels.part(f.block_number()),
        scoring: Scoring::new(body.mask, body.scale, places),
        worker,
        positions,
        lse: lse.at(sequence * positions * heads),
        heads,
    };
    let of_group = heads / groups;
    let queries =
        |head| Queries { q: rows(q, heads, head), out: rows(out, heads, head), d_out: rows(d_out, heads, head), head };
    let keys = |group| Keys { k: rows(k, groups, group), v: rows(v, groups, group) };
    f.either(
        column.less(heads),
        || backward.of_queries(row, queries(column), keys(column / of_group), rows(d_q, heads, column)),
        || {
            let group = column - heads;
            let of_head = |i: Index<'f>| queries(group * of_group + i);
            backward.of_keys(
                row,
                keys(group),
                (of_group, &of_head),
                (rows(d_k, groups, group), rows(d_v, groups, group)),
            );
        },
    );
}

/// The tensors of a head.
#[derive(Clone, Copy)]
struct Queries<'f> {
    q: Rows<'f>,
    out: Rows<'f>,
    d_out: Rows<'f>,
    head: Index<'f>,
}

#[derive(Clone, Copy)]
struct Keys<'f> {
    k: Rows<'f>,
    v: Rows<'f>,
}

struct Backward<'f> {
    f: &'f Function<'f>,
    channels: Channels,
    /// Those of the gradients.
    part: Part<'f>,
    scoring: Scoring<'f>,
    worker: Worker<'f>,
    positions: Index<'f>,
    /// Of the sequence, a number for each head of each query.
    lse: Pointer<'f>,
    heads: Index<'f>,
    turning: Option<Turning<'f>>,
    /// Of the sequence.
    first_token: Index<'f>,
}

/// What is known of a query.
#[derive(Clone, Copy)]
struct Statistics<'f> {
    /// The log-sum-exp in units of log 2.
    lse: Scalar<'f>,
    /// D.
    through_out: Scalar<'f>,
    /// The first token of its document.
    start: Int32<'f>,
}

/// Where tiles are in shared memory: two of the block's rows, two of what goes by, and the statistics of queries, of each kind as many as a block has rows.
struct Tiles<'f> {
    rows: [Shared<'f>; 2],
    /// One after the other, of each turn two.
    columns: Shared<'f>,
    statistics: Shared<'f>,
}

impl<'f> Backward<'f> {
    fn tiles(&self) -> Tiles<'f> {
        let (f, pitch, shape) = (self.f, self.channels.pitch(), self.worker.shape);
        let (rows, columns) = (shape.rows * pitch, columns(self.channels) * pitch);
        let at = |words: i64| f.shared_memory().at(f.index(words));
        Tiles { rows: [at(0), at(rows)], columns: at(2 * rows), statistics: at(2 * (rows + shape.tiles * columns)) }
    }

    /// The tiles of a turn.
    fn columns(&self, tiles: &Tiles<'f>, turn: Index<'f>) -> [Shared<'f>; 2] {
        let words = columns(self.channels) * self.channels.pitch();
        let first = tiles.columns.at(turn % self.worker.shape.tiles * (2 * words));
        [first, first.at(self.f.index(words))]
    }

    /// Begins to copy rows of two tensors to the tiles of a turn.
    fn copy(&self, tiles: &Tiles<'f>, turn: Index<'f>, tensors: [Rows<'f>; 2], first: Index<'f>) {
        for (rows, to) in tensors.into_iter().zip(self.columns(tiles, turn)) {
            self.channels.copy(self.f, self.worker, rows, (first, columns(self.channels)), to);
        }
        self.f.commit_copies();
    }

    /// Copies the rows of the block, and rounds them.
    fn copy_rows(&self, tiles: &Tiles<'f>, tensors: [Rows<'f>; 2], first: Index<'f>) {
        let (f, channels, worker) = (self.f, self.channels, self.worker);
        for (rows, to) in tensors.into_iter().zip(tiles.rows) {
            channels.copy(f, worker, rows, (first, worker.shape.rows), to);
        }
        f.commit_copies();
        f.await_copies(0);
        tiles.rows.into_iter().for_each(|tile| channels.round(f, worker, worker.shape.rows, tile));
    }

    /// The gradient of the queries from `query` on.
    fn of_queries(&self, query: Index<'f>, queries: Queries<'f>, keys: Keys<'f>, d_q: Rows<'f>) {
        let (f, channels, part, worker, tiles) = (self.f, self.channels, self.part, self.worker, self.tiles());
        let [q, d_out] = tiles.rows;
        self.copy_rows(&tiles, [queries.q, queries.d_out], query);
        self.keep_statistics(queries, query, worker.shape.rows, tiles.statistics);
        f.barrier();
        let rows = worker.rows().map(|row| {
            let statistics = self.statistics(tiles.statistics, row);
            (Token { position: query.to_int32() + row, start: statistics.start }, statistics)
        });
        let (begin, end) = self.scoring.keys_of(query, worker.shape.rows, self.positions);
        let count = columns(channels);
        self.copy(&tiles, f.index(0), [keys.k, keys.v], begin);
        let sums = f.carry(begin, end, count, part.nothing(f), |key, sums| {
            let turn = (key - begin) / count;
            let [k, v] = self.columns(&tiles, turn);
            // What this thread has copied is there, then what all have; and all have done with the tiles before, where the next go.
            f.await_copies(0);
            f.barrier();
            self.copy(&tiles, turn + 1, [keys.k, keys.v], key + count);
            let products = channels.product(f, worker, q, (k, count));
            let d_weights = channels.product(f, worker, d_out, (v, count));
            let (_, d_scores) = self.weigh(products, d_weights, |row, column| {
                let (query, statistics) = rows[row];
                (query, self.scoring.key(key + column.to_index(), self.positions), statistics)
            });
            channels.combine(f, worker, &d_scores, (k, part), sums)
        });
        f.await_copies(0);
        channels.store(f, worker, (&sums, part), None, (d_q, query));
        self.turn(d_q, query);
    }

    /// The gradients of the keys and values from `key` on, over the heads of their group.
    fn of_keys(
        &self,
        key: Index<'f>,
        keys: Keys<'f>,
        (heads, queries): (Index<'f>, &dyn Fn(Index<'f>) -> Queries<'f>),
        (d_k, d_v): (Rows<'f>, Rows<'f>),
    ) {
        let (f, channels, part, worker, tiles) = (self.f, self.channels, self.part, self.worker, self.tiles());
        let [k, v] = tiles.rows;
        self.copy_rows(&tiles, [keys.k, keys.v], key);
        let rows = worker.rows().map(|row| self.scoring.key(key + row.to_index(), self.positions));
        let (begin, end) = self.scoring.queries_of(key, worker.shape.rows, self.positions);
        let count = columns(channels);
        let nothing = (part.nothing(f), part.nothing(f));
        let (d_keys, d_values) = f.carry(f.index(0), heads, 1, nothing, |head, sums| {
            let queries = queries(head);
            // All have done with the tiles of the head before.
            f.barrier();
            self.copy(&tiles, f.index(0), [queries.q, queries.d_out], begin);
            let sums = f.carry(begin, end, count, sums, |query, (d_keys, d_values)| {
                let turn = (query - begin) / count;
                let [q, d_out] = self.columns(&tiles, turn);
                f.await_copies(0);
                f.barrier();
                self.copy(&tiles, turn + 1, [queries.q, queries.d_out], query + count);
                self.keep_statistics(queries, query, count, tiles.statistics);
                f.barrier();
                let products = channels.product(f, worker, k, (q, count));
                let d_weights = channels.product(f, worker, v, (d_out, count));
                let (weights, d_scores) = self.weigh(products, d_weights, |row, column| {
                    let statistics = self.statistics(tiles.statistics, column);
                    let query = Token { position: query.to_int32() + column, start: statistics.start };
                    (query, rows[row], statistics)
                });
                let d_values = channels.combine(f, worker, &weights, (d_out, part), d_values);
                (channels.combine(f, worker, &d_scores, (q, part), d_keys), d_values)
            });
            // What was copied behind the last query.
            f.await_copies(0);
            sums
        });
        channels.store(f, worker, (&d_keys, part), None, (d_k, key));
        channels.store(f, worker, (&d_values, part), None, (d_v, key));
        self.turn(d_k, key);
    }

    /// Turns the rows of a gradient that the block has stored from `first` on; all that is turned is in the first part of the channels.
    fn turn(&self, rows: Rows<'f>, first: Index<'f>) {
        let (f, shape) = (self.f, self.worker.shape);
        let Some(turning) = &self.turning else { return };
        let stored = (rows.count - first).or_at_most(f.index(shape.rows));
        let count = self.part.first.equals(f.index(0)).select(stored, f.index(0));
        turn_heads(f, turning, shape.threads().into(), count, |i| (rows.row(first + i), self.first_token + first + i));
    }

    /// P and dS of a tile, from products of queries and keys and of gradients of the output and values; `element` tells query, key and what is known of the
    /// query, from the row, one of two, and the column of a sum.
    fn weigh(
        &self,
        products: Sums<'f>,
        d_weights: Sums<'f>,
        element: impl Fn(usize, Int32<'f>) -> (Token<'f>, Token<'f>, Statistics<'f>),
    ) -> (Sums<'f>, Sums<'f>) {
        let (f, scoring, positions) = (self.f, self.scoring, self.positions.to_int32());
        let one = |tile: usize, i: usize, product: Scalar<'f>, d_weight: Scalar<'f>| {
            let (row, column) = self.worker.place(tile, i);
            let (query, key, statistics) = element(row, column);
            let exist = query.position.less(positions) & key.position.less(positions);
            let seen = exist & scoring.sees(query, key);
            let score = product.times_plus(f.scalar(scoring.factor()), -statistics.lse);
            let weight = seen.select(exp2_of_softmax(score), f.scalar(0.0));
            (weight, (d_weight - statistics.through_out) * weight * scoring.scale)
        };
        let of_tile = |(tile, (products, d_weights)): (usize, (Vec<Scalar<'f>>, Vec<Scalar<'f>>))| {
            let both = products.into_iter().zip(d_weights).enumerate();
            both.map(|(i, (product, d_weight))| one(tile, i, product, d_weight)).unzip()
        };
        products.into_iter().zip(d_weights).enumerate().map(of_tile).unzip()
    }

    /// Where each kind of number begins among the statistics.
    fn kinds(&self) -> [i64; STATISTICS as usize] {
        [0, 1, 2].map(|kind| kind * most_queries(self.channels, self.worker.shape))
    }

    fn statistics(&self, from: Shared<'f>, row: Int32<'f>) -> Statistics<'f> {
        let [lse, through_out, start] = self.kinds().map(|first| row.to_index() + first);
        Statistics { lse: from.load(lse), through_out: from.load(through_out), start: from.load_int(start) }
    }

    /// Writes what is known of `count` queries from `first` on, zeros where there are none: four threads for each sum up D.
    fn keep_statistics(&self, queries: Queries<'f>, first: Index<'f>, count: i64, to: Shared<'f>) {
        const SHARE: i64 = 4;
        let (f, thread, zero) = (self.f, self.worker.thread, self.f.scalar(0.0));
        let (row, part) = ((thread / SHARE as i32).to_index(), (thread % SHARE as i32).to_index());
        for round in (0..count).step_by((i64::from(self.worker.shape.threads()) / SHARE) as usize) {
            let row = row + round;
            let query = first + row;
            let wanted = row.less(f.index(count));
            let exists = wanted & query.less(self.positions);
            let channels = exists.select(f.index(self.channels.0), f.index(0));
            let (out, d_out) = (queries.out.row(query), queries.d_out.row(query));
            let of_thread = f.carry(part, channels, SHARE, zero, |channel, sum: Scalar<'f>| {
                out.load(channel).times_plus(d_out.load(channel), sum)
            });
            let through_out = of_thread.across_lanes(&[2, 1], |a, b| a + b);
            f.when(wanted & part.equals(f.index(0)), || {
                let lse = || self.lse.load(query * self.heads + queries.head) * LOG2_E;
                let start = || self.scoring.start(query).to_int32();
                let [of_lse, of_out, of_start] = self.kinds().map(|first| row + first);
                to.store(of_lse, f.either(exists, lse, || zero));
                to.store(of_out, through_out);
                to.store_int(of_start, f.either(exists, start, || f.int32(0)));
            });
        }
    }
}
