//! The micro-kernel of tile registers: two by two tiles of C, of pairs of bf16.
//!
//! The sums of a number are those of the vector registers but for their order, and depend on nothing but its row and column.

use super::micro::{Product, RowsOfA, Wanted};
use crate::mlir::{Cache, Function, Index, Pointer, Stored, TILE, Tile};
use tfc_compiler::optimization::Optimization;

/// The k of one step: those of a row of a tile.
const STEP: i64 = 2 * TILE;
/// Words of the rows of A, or of the columns of B, in a step.
const STEP_WORDS: i64 = 2 * TILE * TILE;
/// The distance of the rows of a tile of B, and of C where it is kept: two tiles lie side by side.
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
        let &[k, accumulate, distance, adds, ref counts @ ..] = indices else { return };
        let sums = || {
            let row = |(row, sums): (usize, [Tile; 2])| (0..columns).map(move |column| (sums[column], row, column));
            SUMS.into_iter().enumerate().flat_map(row)
        };
        let (kept, in_bytes) = (f.index(PITCH), f.index(4 * PITCH));
        f.either(
            accumulate.equals(f.index(0)),
            || sums().for_each(|(sum, ..)| f.zero_tile(sum)),
            || sums().for_each(|(sum, row, column)| tile_at(before, kept, row, column).load_tile(sum, in_bytes)),
        );
        // Panels are filled up with 0.
        let steps = k.ceiling_division(STEP);
        let step = |i: Index<'_>| add_step(f, columns, a.at(i * STEP_WORDS), b.at(i * STEP_WORDS));
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
            || sums().for_each(|(sum, row, column)| tile_at(out, distance, row, column).store_tile(sum, distance * 4)),
            || {
                let stored = f.stack(PITCH * PITCH);
                sums().for_each(|(sum, row, column)| tile_at(stored, kept, row, column).store_tile(sum, in_bytes));
                f.times(f.index(2 * TILE), |row| {
                    let (from, to) = (stored.at(row * PITCH), out.at(row * distance));
                    for column in (0..columns as i64).map(|column| f.index(column * TILE)) {
                        to.store_vector(column, from.load_vector(column) + to.load_vector(column));
                    }
                });
            },
        );
    });
}

/// Where a tile begins in rows that are `distance` words apart.
fn tile_at<'f>(first: Pointer<'f>, distance: Index<'f>, row: usize, column: usize) -> Pointer<'f> {
    first.at(distance * (row as i64 * TILE) + column as i64 * TILE)
}

/// Adds the products of one step of a panel of A and of one of B.
fn add_step<'f>(f: &'f Function<'f>, columns: usize, a: Pointer<'f>, b: Pointer<'f>) {
    for (row, register) in ROWS.into_iter().enumerate() {
        a.at(f.index(row as i64 * TILE * TILE)).load_tile(register, f.index(4 * TILE));
        for (column, columns) in COLUMNS.into_iter().enumerate().take(columns) {
            if row == 0 {
                b.at(f.index(column as i64 * TILE)).load_tile(columns, f.index(4 * PITCH));
            }
            f.add_tile_product(SUMS[row][column], register, columns);
        }
    }
}
