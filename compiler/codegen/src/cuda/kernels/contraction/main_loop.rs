//! The loop over k: one slice is multiplied while the next are on their way.

use super::arguments::Arguments;
use super::feed::{Feed, Loaded};
use super::source::Source;
use super::tile::{SLICES_COPIED, SLICES_WRITTEN, Tile, slices};
use crate::cuda::kernels::slice::Side;
use crate::mlir::{Fragment, Function, Index, Int32, Multiplicand, Scalar, Shared, WARP};

/// Which tile of C a block computes.
#[derive(Clone, Copy)]
pub struct Block<'f> {
    pub outer: Index<'f>,
    /// The first of the tile.
    pub row: Index<'f>,
    pub column: Index<'f>,
}

impl<'f> Block<'f> {
    /// Columns fastest: blocks that run at the same time share rows of A.
    pub fn this(f: &'f Function<'f>, tile: Tile, arguments: &Arguments<'f>) -> Block<'f> {
        let [down, across] = [arguments.m.ceiling_division(tile.rows), arguments.n.ceiling_division(tile.columns)];
        let number = f.block_number();
        Block {
            outer: number / across / down,
            row: number / across % down * tile.rows,
            column: number % across * tile.columns,
        }
    }
}

/// Who a thread is among those that multiply.
#[derive(Clone, Copy)]
pub struct Worker<'f> {
    pub lane: Int32<'f>,
    /// The first of its warp's part of the tile.
    pub row: Int32<'f>,
    pub column: Int32<'f>,
}

impl<'f> Worker<'f> {
    pub fn new(tile: Tile, thread: Int32<'f>) -> Worker<'f> {
        let (warp, across) = (thread / WARP, (tile.columns / tile.warp_columns) as i32);
        Worker {
            lane: thread % WARP,
            row: warp / across * tile.warp_rows as i32,
            column: warp % across * tile.warp_columns as i32,
        }
    }
}

/// The sums of a thread: for each 16 rows of its warp's part of the tile and each 8 columns, four.
pub type Sums<'f> = Vec<Vec<Scalar<'f>>>;

pub fn emit<'f>(
    f: &'f Function<'f>,
    tile: Tile,
    arguments: &Arguments<'f>,
    sources: &[Source; 2],
    block: Block<'f>,
) -> Sums<'f> {
    let (thread, shared) = (f.thread(), f.shared_memory());
    let [a, b] = sources.each_ref().map(|source| {
        let first = match source.side {
            Side::A => block.row,
            Side::B => block.column,
        };
        let (slice, threads, outer) = (tile.slice(source), tile.threads(), block.outer);
        Feed { f, arguments, source, slice, thread, threads, outer, first }
    });
    let main_loop = MainLoop { f, tile, a, b, worker: Worker::new(tile, thread), shared };
    let nothing = vec![vec![f.scalar(0.0); 4]; (tile.warp_rows / 16 * tile.warp_columns / 8) as usize];
    // Without a k there is nothing to load.
    f.either(
        f.index(0).less(arguments.k),
        || {
            f.either(
                main_loop.a.is_aligned() & main_loop.b.is_aligned(),
                || main_loop.run(arguments.k, true, nothing.clone()),
                || main_loop.run(arguments.k, false, nothing.clone()),
            )
        },
        || nothing.clone(),
    )
}

struct MainLoop<'a, 'f> {
    f: &'f Function<'f>,
    tile: Tile,
    a: Feed<'a, 'f>,
    b: Feed<'a, 'f>,
    worker: Worker<'f>,
    shared: Shared<'f>,
}

impl<'a, 'f> MainLoop<'a, 'f> {
    fn run(&self, k: Index<'f>, aligned: bool, sums: Sums<'f>) -> Sums<'f> {
        let (f, depth) = (self.f, self.tile.depth);
        let (copied, loaded): (Vec<&Feed>, Vec<&Feed>) =
            [&self.a, &self.b].into_iter().partition(|feed| aligned && feed.source.copies());
        let copy = |k: Index<'f>| {
            copied.iter().for_each(|feed| feed.copy(k, self.slice(feed, k, SLICES_COPIED)));
            f.commit_copies();
        };
        let load = |k| loaded.iter().map(|feed| feed.load(k, aligned)).collect::<Vec<Loaded>>();
        if !copied.is_empty() {
            (0..SLICES_COPIED - 1).for_each(|slice| copy(f.index(slice * depth)));
        }
        let ahead = self.tile.ahead;
        let first: Vec<Vec<Loaded>> = (0..ahead).map(|turn| load(f.index(turn * depth))).collect();
        let (sums, _) = f.carry(f.index(0), k, depth, (sums, first), |k, (sums, mut coming)| {
            for (feed, numbers) in loaded.iter().zip(coming.remove(0)) {
                feed.write(numbers, k, aligned, self.slice(feed, k, SLICES_WRITTEN));
            }
            // On their way while this thread waits and multiplies. LLVM would move them to where they are used, but for the barrier.
            coming.push(load(k + ahead * depth));
            if !copied.is_empty() {
                f.await_copies(SLICES_COPIED - 2);
            }
            // One barrier a turn is enough: who writes a slice again has passed the barrier of the turn between, which all reach after reading it.
            f.barrier();
            if !copied.is_empty() {
                // To where the slice of the last turn was.
                copy(k + (SLICES_COPIED - 1) * depth);
            }
            (self.multiply(k, aligned, sums), coming)
        });
        if !copied.is_empty() {
            // What was copied behind the end of k is zeros, which must not come late.
            f.await_copies(0);
        }
        sums
    }

    /// Where the slice that begins with k is: those of so many turns lie one after the other.
    fn slice(&self, feed: &Feed<'a, 'f>, k: Index<'f>, turns: i64) -> Shared<'f> {
        let words = |bytes: i64| bytes / size_of::<f32>() as i64;
        let first = match feed.slice.side {
            Side::A => 0,
            Side::B => words(self.a.slice.bytes()) * slices(self.a.source.copies()),
        };
        self.shared.at(k / self.tile.depth % turns * words(feed.slice.bytes()) + first)
    }

    fn multiply(&self, k: Index<'f>, aligned: bool, mut sums: Sums<'f>) -> Sums<'f> {
        let (f, tile, worker) = (self.f, self.tile, self.worker);
        let multiplicand = self.a.slice.multiplicand;
        for step in 0..tile.depth / multiplicand.depth() {
            let fragments = |feed: &Feed<'a, 'f>, first: Int32<'f>, lanes: i64| -> Vec<Fragment<'f>> {
                let copied = aligned && feed.source.copies();
                let slice = self.slice(feed, k, slices(copied));
                let fragment = |i| feed.slice.fragment(f, slice, worker.lane, (first, i), step);
                let round = |fragment: Fragment<'f>| match copied && multiplicand == Multiplicand::Tf32 {
                    true => fragment.into_iter().map(|number| number.as_float().as_tf32()).collect(),
                    false => fragment,
                };
                (0..lanes).step_by(16).map(fragment).map(round).collect()
            };
            let a = fragments(&self.a, worker.row, tile.warp_rows);
            let b = fragments(&self.b, worker.column, tile.warp_columns);
            let b: Vec<&[Int32]> = b.iter().flat_map(|two| two.chunks_exact(2)).collect();
            for (i, a) in a.iter().enumerate() {
                for (j, b) in b.iter().enumerate() {
                    let sums = &mut sums[i * b_tiles(tile) + j];
                    *sums = f.tensor_product(multiplicand, a, b, sums);
                }
            }
        }
        sums
    }
}

/// Tiles of 8 columns in a warp's part.
fn b_tiles(tile: Tile) -> usize {
    (tile.warp_columns / 8) as usize
}
