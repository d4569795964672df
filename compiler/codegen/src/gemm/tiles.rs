//! The micro-kernel of tile registers: two by two tiles of C, of pairs of bf16.
//!
//! The sums of a number are those of the vector registers but for their order, and depend on nothing but its row and column.

use super::Rows;
use super::micro::{Product, RowsOfA, Wanted};
use crate::mlir::{Cache, Function, Index, Pointer, Stored, TILE, Tile};
use tfc_compiler::optimization::Optimization;

/// The k of one step: those of a row of a tile.
pub const STEP: i64 = 2 * TILE;
/// Words of the rows of A, or of the columns of B, in a step.
const STEP_WORDS: i64 = 2 * TILE * TILE;
/// The distance of rows of C where they are kept: two tiles lie side by side.
const PITCH: i64 = 2 * TILE;
/// Wanted rows that are asked for in each step.
const ASKED: i64 = 4;

const SUMS: [[Tile; 2]; 2] = [[Tile(0), Tile(1)], [Tile(2), Tile(3)]];
const ROWS: [Tile; 2] = [Tile(4), Tile(5)];
const COLUMNS: [Tile; 2] = [Tile(6), Tile(7)];

/// [`super::multiply`]. Rows of A are packed.
pub fn multiply<'f>(f: &'f Function<'f>, product: Product<'f>, wanted: &[Wanted<'f>]) {
    let both = || multiply_tiles(f, 2, product, wanted);
    match f.uses(Optimization::EdgeTiles) {
        true => {
            f.either(product.columns.at_most(f.index(TILE)), || multiply_tiles(f, 1, product, wanted), both);
        }
        false => both(),
    }
}

/// The product for the first `columns` tiles side by side.
fn multiply_tiles<'f>(f: &'f Function<'f>, columns: usize, product: Product<'f>, wanted: &[Wanted<'f>]) {
    let Product { a: RowsOfA::Packed(a), b, k, before, accumulate, out, adds, .. } = product else {
        unreachable!("rows of A that tile registers read are packed")
    };
    let [accumulate, adds] = [accumulate, adds].map(|truth| truth.select(f.index(1), f.index(0)));
    let name = format!("multiply_in_{columns}_tiles_asking_for_{}", wanted.len());
    let firsts = wanted.iter().map(|wanted| wanted.rows.pointer);
    let counts = wanted.iter().flat_map(|wanted| [wanted.rows.stride, wanted.count]);
    let pointers: Vec<Pointer> = [a, b, before, out.pointer].into_iter().chain(firsts).collect();
    let indices: Vec<Index> = [k, accumulate, out.stride, adds].into_iter().chain(counts).collect();
    f.call(&name, &pointers, &indices, |f, pointers, indices| {
        let &[a, b, before, out, ref firsts @ ..] = pointers else { return };
        let &[k, accumulate, stride, adds, ref counts @ ..] = indices else { return };
        let kept = |pointer| Rows { pointer, stride: f.index(PITCH) };
        let (sums, out) = (Sums { f, columns }, Rows { pointer: out, stride });
        f.either(accumulate.equals(f.index(0)), || sums.zero(), || sums.load(kept(before)));
        // Panels are filled up with 0.
        let steps = k.ceiling_division(STEP);
        let step = |i| {
            let [a, b] = [a, b].map(|panel| Rows { pointer: panel.at(i * STEP_WORDS), stride: f.index(TILE) });
            sums.add(a, b, TILE * TILE);
        };
        let mut done = f.index(0);
        for (first, count) in firsts.iter().zip(counts.chunks_exact(2)) {
            let (begin, end) = (done, (done + count[1].ceiling_division(ASKED)).or_at_most(steps));
            f.each(begin, end, 1, |i| {
                for asked in 0..ASKED {
                    let row = Stored::from(first.at(((i - begin) * ASKED + asked) * count[0]));
                    row.prefetch(Wanted::words(f.vectors()), Cache::First, false);
                }
                step(i);
            });
            done = end;
        }
        f.each(done, steps, 1, step);
        f.either(
            adds.equals(f.index(0)),
            || sums.store(out),
            || {
                let stored = kept(f.stack(PITCH * PITCH));
                sums.store(stored);
                f.times(f.index(2 * TILE), |row| {
                    let (from, to) = (stored.row(row), out.row(row));
                    for column in (0..columns as i64).map(|column| f.index(column * TILE)) {
                        to.store_vector(column, from.load_vector(column) + to.load_vector(column));
                    }
                });
            },
        );
    });
}

/// Two tiles one above the other, or two by two, in registers; what is below and beside each other is so in memory too, whose rows are of words.
#[derive(Clone, Copy)]
pub struct Sums<'f> {
    pub f: &'f Function<'f>,
    /// Tiles side by side.
    pub columns: usize,
}

impl<'f> Sums<'f> {
    pub fn zero(self) {
        self.each(|sum, _, _| self.f.zero_tile(sum));
    }

    pub fn load(self, from: Rows<'f>) {
        self.each(|sum, row, column| tile_at(from, row, column).load_tile(sum, from.stride * 4));
    }

    pub fn store(self, to: Rows<'f>) {
        self.each(|sum, row, column| tile_at(to, row, column).store_tile(sum, to.stride * 4));
    }

    /// Adds the products of 32 k: of rows of A, each 16 pairs, and of 16 rows of B, each of pairs beside each other; so many words behind its first tile
    /// begins the one beside.
    pub fn add(self, a: Rows<'f>, b: Rows<'f>, beside: i64) {
        for (row, register) in ROWS.into_iter().enumerate() {
            tile_at(a, row, 0).pass_tile(register, a.stride * 4);
            for (column, columns) in COLUMNS.into_iter().enumerate().take(self.columns) {
                if row == 0 {
                    b.pointer.at(self.f.index(column as i64 * beside)).load_tile(columns, b.stride * 4);
                }
                self.f.add_tile_product(SUMS[row][column], register, columns);
            }
        }
    }

    fn each(self, body: impl Fn(Tile, usize, usize)) {
        for (row, sums) in SUMS.into_iter().enumerate() {
            sums.into_iter().enumerate().take(self.columns).for_each(|(column, sum)| body(sum, row, column));
        }
    }
}

/// Where a tile begins.
fn tile_at(rows: Rows, row: usize, column: usize) -> Pointer {
    rows.row(rows.stride.constant(row as i64 * TILE)).at(rows.stride.constant(column as i64 * TILE))
}
