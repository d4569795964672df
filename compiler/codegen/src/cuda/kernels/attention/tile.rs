//! Tiles of rows in shared memory, and their products.

use super::heads::Rows;
use crate::cuda::architecture::Architecture;
use crate::cuda::kernels::launch::QUAD;
use crate::cuda::kernels::slice::{Place, Side, Slice};
use crate::mlir::{Bool, F32s, Fragment, Function, Index, Int32, Multiplicand, Scalar, Shared, WARP};
use std::ops::Range;

/// Of a warp.
const WARP_ROWS: i64 = 16;

/// Of a block: its rows, and how many tiles of each tensor that goes by are in shared memory: one is multiplied while the next are on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub rows: i64,
    pub tiles: i64,
}

impl Shape {
    /// The best first. Fewer rows are for wide heads where a block can have little shared memory: what goes by is then read more often.
    const ALL: [Shape; 4] = [
        Shape { rows: 64, tiles: 3 },
        Shape { rows: 64, tiles: 2 },
        Shape { rows: 32, tiles: 2 },
        Shape { rows: 16, tiles: 2 },
    ];

    /// The first with at most so many tiles that has room for the words that it needs.
    pub fn choose(architecture: Architecture, tiles: i64, words: impl Fn(Shape) -> i64) -> Shape {
        let fits = |shape: &Shape| shape.tiles <= tiles && 4 * words(*shape) <= architecture.shared_bytes_of_block;
        Shape::ALL.into_iter().find(fits).unwrap_or(Shape::ALL[3])
    }

    pub fn threads(self) -> u32 {
        (self.rows / WARP_ROWS) as u32 * WARP as u32
    }
}

/// Rows of a product are a multiple of this: so long that eight rows at the same channels are in different banks.
const UNIT: i64 = 32;

/// Channels up to which a thread has the sums of two gradients of them all. Of wider heads a block computes a part, and all scores for it.
const MOST_AT_ONCE: i64 = 128;
const PART: i64 = 64;

/// The channels of a head.
#[derive(Clone, Copy)]
pub struct Channels(pub i64);

/// Consecutive channels: those that a block has sums of.
#[derive(Clone, Copy)]
pub struct Part<'f> {
    /// A multiple of [`UNIT`], so that chunks of shared memory change places within the part.
    pub first: Index<'f>,
    pub eights: i64,
    /// Channels that there are in it, whichever part it is.
    pub certain: i64,
}

impl<'f> Part<'f> {
    /// No sums yet of a product with as many columns.
    pub fn nothing(self, f: &'f Function<'f>) -> Sums<'f> {
        vec![vec![f.scalar(0.0); 4]; self.eights as usize]
    }
}

/// For each eight columns of a warp's part of a product four sums: rows lane / 4 and lane / 4 + 8, columns 2 · (lane % 4) and the next.
pub type Sums<'f> = Vec<Vec<Scalar<'f>>>;

/// Who a thread is.
#[derive(Clone, Copy)]
pub struct Worker<'f> {
    pub thread: Int32<'f>,
    pub lane: Int32<'f>,
    /// The first row of its warp.
    pub row: Int32<'f>,
    /// Of its block.
    pub shape: Shape,
}

impl<'f> Worker<'f> {
    pub fn this(f: &'f Function<'f>, shape: Shape) -> Worker<'f> {
        let thread = f.thread();
        Worker { thread, lane: thread % WARP, row: thread / WARP * WARP_ROWS as i32, shape }
    }

    /// The two rows of its sums.
    pub fn rows(self) -> [Int32<'f>; 2] {
        [0, 8].map(|half| self.row + self.lane / 4 + half)
    }

    /// The row, 0 or 1, and the column of a sum.
    pub fn place(self, tile: usize, sum: usize) -> (usize, Int32<'f>) {
        (sum / 2, self.lane % 4 * 2 + (tile * 8 + sum % 2) as i32)
    }
}

impl Channels {
    /// Numbers of a row in shared memory: whole parts of wide heads.
    pub fn pitch(self) -> i64 {
        let unit = if self.0 <= MOST_AT_ONCE { UNIT } else { PART };
        (self.0 + unit - 1) / unit * unit
    }

    /// The channels of its gradients that a block computes. `number` is the block's, and each part has blocks of its own.
    pub fn part<'f>(self, number: Index<'f>) -> Part<'f> {
        match self.parts() {
            1 => self.all(number.function()),
            parts => {
                let certain = if self.0 % PART == 0 { PART } else { 0 };
                Part { first: number % parts * PART, eights: PART / 8, certain }
            }
        }
    }

    /// How many.
    pub fn parts(self) -> i64 {
        if self.0 <= MOST_AT_ONCE { 1 } else { self.pitch() / PART }
    }

    /// Whether rows are whole quads, and so begin where sixteen bytes can be read: tensors do, in memory (`plan::ALIGNMENT`), and have nothing between their rows.
    pub fn are_quads(self) -> bool {
        self.0 % QUAD == 0
    }

    /// Eights of channels: steps of a product along them, tiles of a product across them.
    fn eights(self) -> i64 {
        (self.0 + 7) / 8
    }

    fn slice(self, side: Side, rows: i64) -> Slice {
        Slice { side, multiplicand: Multiplicand::Tf32, along_k: true, lanes: rows, depth: self.pitch() }
    }

    /// Begins to copy rows `[first, first + count)` as they are, zeros where there are none and behind the last channel. For all threads of the block.
    pub fn copy<'f>(
        self,
        f: &'f Function<'f>,
        worker: Worker<'f>,
        rows: Rows<'f>,
        (first, count): (Index<'f>, i64),
        to: Shared<'f>,
    ) {
        let slice = self.slice(Side::A, count);
        let bytes = |there: Bool<'f>, bytes: i32| there.select(f.int32(bytes), f.int32(0));
        for place in self.chunks(worker, count) {
            let (row, column) = (first + place.row.to_index() + place.rows, place.chunk.to_index() * QUAD);
            let (from, to, columns) = (rows.row(row).at(column), slice.at(to, place), place.chunks * QUAD);
            let exists = |i: i64| match columns + UNIT <= self.0 {
                true => rows.exists(row),
                false => rows.exists(row) & (column + (columns + i)).less(f.index(self.0)),
            };
            // Of a place behind the tensor nothing is read.
            match self.are_quads() {
                true => f.copy_sixteen(from.at(f.index(columns)), to, bytes(exists(0), 16)),
                false => (0..QUAD).for_each(|i| {
                    f.copy_one(from.at(f.index(columns + i)), to.at(f.index(i)), bytes(exists(i), 4));
                }),
            }
        }
    }

    /// Rounds to tf32 what this thread has copied of a tile that stays, once it is there: others see it behind a barrier.
    pub fn round<'f>(self, f: &'f Function<'f>, worker: Worker<'f>, count: i64, tile: Shared<'f>) {
        let (slice, zero) = (self.slice(Side::A, count), f.index(0));
        for chunk in self.chunks(worker, count) {
            let place = slice.at(tile, chunk);
            place.store_aligned(zero, place.load_aligned::<F32s>(zero).as_tf32());
        }
    }

    /// The chunks of a tile of `count` rows that a thread takes: eight threads share a row, so that of each row the thread has one place in memory, and the rest are
    /// distances from it.
    fn chunks<'f>(self, worker: Worker<'f>, count: i64) -> impl Iterator<Item = Place<'f>> {
        const ABREAST: i64 = UNIT / QUAD;
        let (thread, rows) = (worker.thread, i64::from(worker.shape.threads()) / ABREAST);
        let place = move |rows, columns| Place {
            row: thread / ABREAST as i32,
            rows,
            chunk: thread % ABREAST as i32,
            chunks: columns / QUAD,
        };
        let of_rows = move |rows| (0..self.pitch()).step_by(UNIT as usize).map(move |columns| place(rows, columns));
        (0..count).step_by(rows as usize).flat_map(of_rows)
    }

    /// The warp's rows of one tile, which are rounded, times the `columns` rows of another, which go by and are rounded here.
    pub fn product<'f>(
        self,
        f: &'f Function<'f>,
        worker: Worker<'f>,
        rows: Shared<'f>,
        columns: (Shared<'f>, i64),
    ) -> Sums<'f> {
        let (columns, count) = columns;
        let along = |(rows, columns): (Shared<'f>, Shared<'f>), steps: Range<i64>, mut sums: Sums<'f>| {
            for step in steps {
                let a = self.slice(Side::A, worker.shape.rows).fragment(f, rows, worker.lane, (worker.row, 0), step);
                for two in 0..count / 16 {
                    let first = (f.int32(0), two * 16);
                    let b = rounded(self.slice(Side::B, count).fragment(f, columns, worker.lane, first, step));
                    for (half, b) in b.chunks_exact(2).enumerate() {
                        let sums = &mut sums[two as usize * 2 + half];
                        *sums = f.tensor_product(Multiplicand::Tf32, &a, b, sums);
                    }
                }
            }
            sums
        };
        let nothing = vec![vec![f.scalar(0.0); 4]; (count / 8) as usize];
        if self.0 <= MOST_AT_ONCE {
            return along((rows, columns), 0..self.eights(), nothing);
        }
        // In one piece, ptxas would load fragments ahead until no register is left, and spill others. The price: each turn waits for its first fragments.
        let whole = self.0 / UNIT * UNIT;
        let sums = f.carry_in_turns(f.index(0), f.index(whole), UNIT, nothing, |channel, sums| {
            along((rows.at(channel), columns.at(channel)), 0..UNIT / 8, sums)
        });
        along((rows, columns), whole / 8..self.eights(), sums)
    }

    /// All of them.
    pub fn all<'f>(self, f: &'f Function<'f>) -> Part<'f> {
        Part { first: f.index(0), eights: self.eights(), certain: self.0 }
    }

    /// sums + weights · rows, which go by: the weights a product with as many columns as there are rows, the sums of a part of the channels.
    pub fn combine<'f>(
        self,
        f: &'f Function<'f>,
        worker: Worker<'f>,
        weights: &Sums<'f>,
        (rows, part): (Shared<'f>, Part<'f>),
        mut sums: Sums<'f>,
    ) -> Sums<'f> {
        let slice = self.slice(Side::B, weights.len() as i64 * 8);
        for (step, weights) in weights.iter().enumerate() {
            // Columns 2i and 2i + 1 of the weights are taken as columns i and i + 4: as the fragments of the rows are.
            let a = [0, 2, 1, 3].map(|i: usize| weights[i].as_tf32());
            for (tile, sums) in sums.iter_mut().enumerate() {
                let b = rounded(slice.turned_fragment(rows.at(part.first), worker.lane, tile as i64 * 8, step as i64));
                *sums = f.tensor_product(Multiplicand::Tf32, &a, &b, sums);
            }
        }
        sums
    }

    /// Stores the warp's sums of a part of the channels, its two rows multiplied by `factors`, to the rows from `first` on, where they exist.
    pub fn store<'f>(
        self,
        f: &'f Function<'f>,
        worker: Worker<'f>,
        (sums, part): (&Sums<'f>, Part<'f>),
        factors: Option<[Scalar<'f>; 2]>,
        (rows, first): (Rows<'f>, Index<'f>),
    ) {
        for (half, row) in worker.rows().into_iter().enumerate() {
            let place = first + row.to_index();
            f.when(rows.exists(place), || {
                let to = rows.row(place);
                for (tile, sums) in sums.iter().enumerate() {
                    for (sum, value) in sums.iter().enumerate() {
                        let (of_row, column) = worker.place(tile, sum);
                        if of_row != half {
                            continue;
                        }
                        let value = factors.map_or(*value, |factors| *value * factors[half]);
                        let channel = part.first + column.to_index();
                        let store = || to.store(channel, value);
                        // Only the last columns of the last part may be more than there are channels.
                        match (tile as i64 + 1) * 8 <= part.certain {
                            true => store(),
                            false => f.when(channel.less(f.index(self.0)), store),
                        }
                    }
                }
            });
        }
    }
}

/// To tf32.
fn rounded(fragment: Fragment<'_>) -> Fragment<'_> {
    fragment.into_iter().map(|number| number.as_float().as_tf32()).collect()
}
