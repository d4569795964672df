//! Attention of the queries of a block, 64 of a head: keys go by in tiles, the softmax keeps up.

use super::few::{self, FEW, Few};
use super::heads::Rows;
use super::scoring::{Scoring, Token};
use super::tile::{Channels, Shape, Sums, Worker};
use crate::cuda::architecture::Architecture;
use crate::cuda::kernels::launch::first;
use crate::kernels::attention::LOWEST;
use crate::math::{exp2_of_softmax, log};
use crate::mlir::{Function, GpuLaunch, Index, Scalar};
use std::f32::consts::LN_2;
use tfc_compiler::executable::{Extent, Geometry};
use tfc_compiler::kernel::{Attention, CachedAttention};

/// Keys of a tile: so many that a multiprocessor has shared memory for two blocks, where heads are not wider than 128 channels; whole fragments.
fn keys(channels: Channels) -> i64 {
    (2048 / channels.pitch() / 16 * 16).clamp(16, 32)
}

/// Tiles of keys and of values in shared memory, where there is room for as many.
const TILES: i64 = 3;

/// Of a thread: sums over channels, a tile of scores, and 104 for the rest.
pub fn registers(channels: u32) -> i64 {
    let channels = Channels(channels.into());
    (channels.pitch() / 8 * 4 + keys(channels) / 8 * 4 + 104).min(255)
}

fn shared_words(channels: Channels, shape: Shape) -> i64 {
    (shape.rows + shape.tiles * 2 * keys(channels)) * channels.pitch()
}

fn shape(architecture: Architecture, channels: Channels) -> Shape {
    Shape::choose(architecture, TILES, |shape| shared_words(channels, shape))
}

/// Blocks of the queries of each head of each sequence.
fn blocks(shape: Shape, heads: u16) -> Extent {
    Extent::Product(vec![Extent::Size(0), Extent::Size(heads), Extent::Size(1).units(shape.rows)])
}

pub fn geometry(architecture: Architecture, body: &Attention) -> Geometry {
    let channels = Channels(body.channels.into());
    let shape = shape(architecture, channels);
    let words = shared_words(channels, shape);
    Geometry { threads: shape.threads(), blocks: blocks(shape, 2), shared_bytes: 4 * words as u32 }
}

/// A block for each query where they are few.
pub fn cached_geometry(architecture: Architecture, body: &CachedAttention) -> Geometry {
    let channels = Channels(body.channels.into());
    let shape = shape(architecture, channels);
    let few = Extent::Product(vec![Extent::Size(0), Extent::Size(3), Extent::Size(1)]);
    let blocks = Extent::IfAtMost(Box::new(Extent::Size(1)), FEW, Box::new((few, blocks(shape, 3))));
    let words = shared_words(channels, shape).max(few::shared_words(channels, shape));
    Geometry { threads: shape.threads(), blocks, shared_bytes: 4 * words as u32 }
}

/// A block of queries of one head, the later first: where keys are seen up to the query those take longest.
struct Block<'f> {
    sequence: Index<'f>,
    head: Index<'f>,
    query: Index<'f>,
}

impl<'f> Block<'f> {
    fn this(f: &'f Function<'f>, shape: Shape, positions: Index<'f>, heads: Index<'f>) -> Block<'f> {
        let (number, blocks) = (f.block_number(), positions.ceiling_division(shape.rows));
        let head = number / blocks;
        let query = (blocks - 1 - number % blocks) * shape.rows;
        Block { sequence: head / heads, head: head % heads, query }
    }
}

pub fn emit<'f>(f: &'f Function<'f>, launch: &GpuLaunch<'f>, architecture: Architecture, body: &Attention) {
    let [_batch, positions, heads, groups] = first(&launch.sizes);
    let [q, k, v] = first(&launch.buffers);
    let documents = usize::from(body.documents);
    let (out, lse) = (launch.buffers[3 + documents], launch.buffers[4 + documents]);
    let channels = Channels(body.channels.into());
    let worker = Worker::this(f, shape(architecture, channels));
    let block = Block::this(f, worker.shape, positions, heads);
    let places = body.documents.then(|| launch.buffers[3].at(block.sequence * positions));
    let scoring = Scoring::new(body.mask, body.scale, places);
    let group = block.head / (heads / groups);
    let rows =
        |tensor, heads, head| Rows::of_head(tensor, channels.0, (block.sequence, positions, positions), heads, head);
    let forward = Forward {
        f,
        channels,
        scoring,
        worker,
        q: rows(q, heads, block.head),
        k: rows(k, groups, group),
        v: rows(v, groups, group),
        out: rows(out, heads, block.head),
        offset: f.index(0),
        keys: positions,
    };
    let softmax = forward.attend(block.query);
    let lse = lse.at(block.sequence * positions * heads + block.head);
    for (half, row) in forward.worker.rows().into_iter().enumerate() {
        let place = block.query + row.to_index();
        let first = (forward.worker.lane % 4).equals(f.int32(0));
        f.when(first & place.less(positions), || {
            let Softmax { largest, total } = softmax[half];
            lse.store(place * heads, largest * LN_2 + log(total));
        });
    }
}

pub fn emit_cached<'f>(
    f: &'f Function<'f>,
    launch: &GpuLaunch<'f>,
    architecture: Architecture,
    body: &CachedAttention,
) {
    let [_batch, positions, capacity, heads, groups] = first(&launch.sizes);
    let [q, k, v, position, out] = first(&launch.buffers);
    let offset = position.load_int(f.index(0)).to_index();
    let keys = offset + positions;
    let channels = Channels(body.channels.into());
    let worker = Worker::this(f, shape(architecture, channels));
    let scoring = Scoring::new(body.mask, body.scale, None);
    // Queries and output, keys, values of a head.
    let tensors = |sequence: Index<'f>, head: Index<'f>| {
        let group = head / (heads / groups);
        let rows = |tensor, (positions, count), heads, head| {
            Rows::of_head(tensor, channels.0, (sequence, positions, count), heads, head)
        };
        let queries = [q, out].map(|tensor| rows(tensor, (positions, positions), heads, head));
        let [k, v] = [k, v].map(|tensor| rows(tensor, (capacity, keys), groups, group));
        (queries, k, v)
    };
    f.either(
        positions.at_most(f.index(FEW)),
        || {
            let number = f.block_number();
            let head = number / positions;
            let ([q, out], k, v) = tensors(head / heads, head % heads);
            Few { f, channels, scoring, worker, q, k, v, out, offset, keys }.attend(number % positions);
        },
        || {
            let block = Block::this(f, worker.shape, positions, heads);
            let ([q, out], k, v) = tensors(block.sequence, block.head);
            Forward { f, channels, scoring, worker, q, k, v, out, offset, keys }.attend(block.query);
        },
    );
}

struct Forward<'f> {
    f: &'f Function<'f>,
    channels: Channels,
    scoring: Scoring<'f>,
    worker: Worker<'f>,
    q: Rows<'f>,
    k: Rows<'f>,
    v: Rows<'f>,
    out: Rows<'f>,
    /// The position of the first query.
    offset: Index<'f>,
    /// How many there are.
    keys: Index<'f>,
}

/// Of a row: the largest score so far, and what powers of two of the others' distances to it add up to; where that is under way, of a thread's columns.
#[derive(Clone, Copy)]
pub struct Softmax<'f> {
    pub largest: Scalar<'f>,
    pub total: Scalar<'f>,
}

impl<'f> Forward<'f> {
    /// The output of the queries from `query` on. Gives what the scores of a thread's rows have come to.
    fn attend(&self, query: Index<'f>) -> [Softmax<'f>; 2] {
        let (f, channels, worker) = (self.f, self.channels, self.worker);
        let Shape { rows: queries, tiles } = worker.shape;
        let count = keys(channels);
        let q = f.shared_memory();
        let position = self.offset + query;
        let (begin, end) = self.scoring.keys_of(position, queries, self.keys);
        let words = count * channels.pitch();
        let tile = |key: Index<'f>| {
            let k = q.at((key - begin) / count % tiles * (2 * words) + queries * channels.pitch());
            (k, k.at(f.index(words)))
        };
        let copy = |key: Index<'f>| {
            let (k, v) = tile(key);
            channels.copy(f, worker, self.k, (key, count), k);
            channels.copy(f, worker, self.v, (key, count), v);
            f.commit_copies();
        };
        channels.copy(f, worker, self.q, (query, queries), q);
        (0..tiles - 1).for_each(|turn| copy(begin + turn * count));
        f.await_copies(tiles - 2);
        channels.round(f, worker, queries, q);
        // What belongs to the thread's rows; those that there are not take after the last.
        let last = self.q.count - 1;
        let rows = worker.rows().map(|row| {
            let row = (query + row.to_index()).or_at_most(last);
            Token { position: (self.offset + row).to_int32(), start: self.scoring.start(row).to_int32() }
        });
        let start = vec![(f.scalar(LOWEST), f.scalar(0.0)); 2];
        let (sums, softmax) =
            f.carry(begin, end, count, (channels.all(f).nothing(f), start), |key, (sums, softmax)| {
                // What this thread has copied is there, then what all have; and all have done with the tile before, where the next to be copied goes.
                f.await_copies(tiles - 2);
                f.barrier();
                copy(key + (tiles - 1) * count);
                let (k, v) = tile(key);
                let scores = self.scores(channels.product(f, worker, q, (k, count)), key, rows);
                let softmax: Vec<Softmax> =
                    softmax.into_iter().map(|(largest, total)| Softmax { largest, total }).collect();
                let (weights, fades, softmax) = self.weigh(scores, [softmax[0], softmax[1]]);
                let fade = |sums: Vec<Scalar<'f>>| {
                    sums.into_iter().enumerate().map(|(i, sum)| sum * fades[i / 2]).collect::<Vec<_>>()
                };
                let sums =
                    channels.combine(f, worker, &weights, (v, channels.all(f)), sums.into_iter().map(fade).collect());
                (sums, softmax.map(|Softmax { largest, total }| (largest, total)).to_vec())
            });
        // What was copied behind the last key.
        f.await_copies(0);
        let softmax = [0, 1].map(|row: usize| {
            let (largest, total) = softmax[row];
            Softmax { largest, total: total.across_lanes(&[2, 1], |a, b| a + b) }
        });
        let shares = softmax.map(|softmax| f.scalar(1.0) / softmax.total);
        channels.store(f, worker, (&sums, channels.all(f)), Some(shares), (self.out, query));
        softmax
    }

    /// From products with the keys from `key` on to scores, [`LOWEST`] where a query does not see a key.
    fn scores(&self, products: Sums<'f>, key: Index<'f>, rows: [Token<'f>; 2]) -> Sums<'f> {
        let f = self.f;
        let score = |tile: usize, i: usize, product: Scalar<'f>| {
            let (row, column) = self.worker.place(tile, i);
            let key = key + column.to_index();
            let seen = key.less(self.keys) & self.scoring.sees(rows[row], self.scoring.key(key, self.keys));
            seen.select(product * self.scoring.factor(), f.scalar(LOWEST))
        };
        let of_tile = |(tile, products): (usize, Vec<Scalar<'f>>)| {
            products.into_iter().enumerate().map(|(i, product)| score(tile, i, product)).collect()
        };
        products.into_iter().enumerate().map(of_tile).collect()
    }

    /// The weights of a tile of scores, by what sums so far are multiplied, and what both rows have come to.
    fn weigh(&self, scores: Sums<'f>, softmax: [Softmax<'f>; 2]) -> (Sums<'f>, [Scalar<'f>; 2], [Softmax<'f>; 2]) {
        let f = self.f;
        let of_row = |sums: &Sums<'f>, row: usize| -> Vec<Scalar<'f>> {
            sums.iter().flat_map(|tile| tile[row * 2..][..2].to_vec()).collect()
        };
        let largest = [0, 1].map(|row: usize| {
            let largest = of_row(&scores, row).into_iter().fold(softmax[row].largest, |a, b| a.or_at_least(b));
            largest.across_lanes(&[2, 1], |a, b| a.or_at_least(b))
        });
        let weight = |(i, score): (usize, Scalar<'f>)| {
            let weight = exp2_of_softmax(score - largest[i / 2]);
            f.scalar(LOWEST).less(score).select(weight, f.scalar(0.0))
        };
        let of_tile = |scores: Vec<Scalar<'f>>| scores.into_iter().enumerate().map(weight).collect::<Vec<_>>();
        let weights: Sums = scores.into_iter().map(of_tile).collect();
        let fades = [0, 1].map(|row: usize| exp2_of_softmax(softmax[row].largest - largest[row]));
        let softmax = [0, 1].map(|row: usize| {
            let total = of_row(&weights, row).into_iter().fold(softmax[row].total * fades[row], |a, b| a + b);
            Softmax { largest: largest[row], total }
        });
        (weights, fades, softmax)
    }
}
