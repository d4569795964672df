//! The loop over k: one slice is multiplied while the next is on its way.

use super::arguments::Arguments;
use super::feed::{Feed, Loaded};
use super::tile::Tile;
use crate::cuda::kernels::slice::Side;
use crate::mlir::{Fragment, Function, Index, Int32, Scalar, Shared, WARP};
use tfc_compiler::kernel::Contraction;

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
    body: &Contraction,
    block: Block<'f>,
) -> Sums<'f> {
    let (thread, shared) = (f.thread(), f.shared_memory());
    let feed = |side| {
        let (prologue, first) = match side {
            Side::A => (&body.prologue_a, block.row),
            Side::B => (&body.prologue_b, block.column),
        };
        let (slice, threads) = (tile.slice(side, body), tile.threads());
        Feed { f, arguments, prologue: prologue.as_ref(), slice, thread, threads, outer: block.outer, first }
    };
    let main_loop = MainLoop { f, tile, a: feed(Side::A), b: feed(Side::B), worker: Worker::new(tile, thread), shared };
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

impl<'f> MainLoop<'_, 'f> {
    fn run(&self, k: Index<'f>, aligned: bool, sums: Sums<'f>) -> Sums<'f> {
        let (f, depth) = (self.f, self.tile.depth);
        let load = |k| (self.a.load(k, aligned), self.b.load(k, aligned));
        let (sums, _) = f.carry(f.index(0), k, depth, (sums, load(f.index(0))), |k, (sums, loaded)| {
            let (a, b) = self.slices(k);
            self.write(loaded, k, aligned, (a, b));
            // On their way while this thread waits and multiplies. LLVM would move them to where they are used, but for the barrier.
            let next = load(k + depth);
            // One barrier a turn is enough: who writes a slice again has passed the barrier of the turn between, which all reach after reading it.
            f.barrier();
            (self.multiply(a, b, sums), next)
        });
        sums
    }

    fn write(&self, (a, b): (Loaded<'f>, Loaded<'f>), k: Index<'f>, aligned: bool, to: (Shared<'f>, Shared<'f>)) {
        self.a.write(a, k, aligned, to.0);
        self.b.write(b, k, aligned, to.1);
    }

    /// Where the slices that begin with k are: those of two turns lie one after the other.
    fn slices(&self, k: Index<'f>) -> (Shared<'f>, Shared<'f>) {
        let words = |bytes: i64| bytes / size_of::<f32>() as i64;
        let (a, b) = (words(self.a.slice.bytes()), words(self.b.slice.bytes()));
        let turn = k / self.tile.depth % 2;
        let first = self.shared.at(turn * (a + b));
        (first, first.at(self.f.index(a)))
    }

    fn multiply(&self, a: Shared<'f>, b: Shared<'f>, mut sums: Sums<'f>) -> Sums<'f> {
        let (f, tile, worker) = (self.f, self.tile, self.worker);
        let multiplicand = self.a.slice.multiplicand;
        for step in 0..tile.depth / multiplicand.depth() {
            let fragments = |feed: &Feed<'_, 'f>, slice, first: Int32<'f>, lanes: i64| -> Vec<Fragment<'f>> {
                let fragment = |i| feed.slice.fragment(f, slice, worker.lane, (first, i), step);
                (0..lanes).step_by(16).map(fragment).collect()
            };
            let a = fragments(&self.a, a, worker.row, tile.warp_rows);
            let b = fragments(&self.b, b, worker.column, tile.warp_columns);
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
