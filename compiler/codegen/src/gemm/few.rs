//! Products with few rows of A, on the matrices as they are stored: nothing is packed, and B comes from memory once.
//!
//! With a single row the memory is the limit. Several rows share what is loaded of B while it is in registers.

use crate::mlir::{Bool, Function, Index, Lanes, Pointer, Vector, transpose};

/// Rows of A that are done together where there is more than one.
const ROWS: i64 = 4;
/// Steps of k after which the next rows of A take their turn: what they share of B stays in the second cache.
const STEPS: i64 = 512;
/// How many steps of k ahead B is asked for where its rows are stored along the columns.
const AHEAD: i64 = 8;
/// f32 of a cache line.
const LINE: usize = 16;

/// `sums[rows, columns] (+)= A · B` over `depth` steps of k.
#[derive(Clone, Copy)]
pub struct Few<'f> {
    /// `[rows, depth]`, its rows `a_leading` apart.
    pub a: Pointer<'f>,
    pub a_leading: Index<'f>,
    pub rows: Index<'f>,
    pub b: Pointer<'f>,
    pub b_leading: Index<'f>,
    pub columns: Index<'f>,
    pub depth: Index<'f>,
    /// With room for whole registers of columns, and for a multiple of four rows.
    pub sums: Pointer<'f>,
    pub sums_leading: Index<'f>,
    /// Whether to add to the sums, else they are overwritten.
    pub accumulate: Bool<'f>,
}

impl<'f> Few<'f> {
    /// B is stored as `[columns, depth]`: each sum is a product of two rows.
    pub fn dots(self, f: &'f Function<'f>) {
        self.call(f, "dots", |f, few| {
            f.each(f.index(0), few.columns, f.vectors().width as i64, |column| {
                let alone = few.rows.equals(f.index(1));
                f.either(
                    alone,
                    || few.dots_at(f, f.index(0), 1, column),
                    || f.each(f.index(0), few.rows, ROWS, |row| few.dots_at(f, row, ROWS, column)),
                );
            });
        });
    }

    /// B is stored as `[depth, columns]`: a row of sums is a sum of rows of B.
    pub fn combinations(self, f: &'f Function<'f>) {
        let registers = (f.vectors().rows * f.vectors().registers) as i64;
        self.call(f, "combinations", |f, few| {
            let alone = few.rows.equals(f.index(1));
            f.either(
                alone,
                || few.combine_columns(f, 1, &[registers, registers / 3]),
                || few.combine_columns(f, ROWS, &[registers / ROWS]),
            );
        });
    }

    /// `rows` rows from `row` on times a register of columns. Sums of some columns at a time are kept for all lanes of k; these are added in the end.
    fn dots_at(self, f: &'f Function<'f>, row: Index<'f>, rows: i64, column: Index<'f>) {
        let width = f.vectors().width as i64;
        let together = width / rows;
        let a = self.a_rows(row, rows);
        for first in (0..width).step_by(together as usize) {
            // What is beyond the edge repeats the last column.
            let b_row = |i: i64| (column + (first + i)).or_at_most(self.columns - 1) * self.b_leading;
            let b: Vec<Pointer> = (0..together).map(|i| self.b.at(b_row(i))).collect();
            let zeros = vec![f.vector(0.0); width as usize];
            let sums = f.carry_strips(f.index(0), self.depth, zeros, |k, lanes, sums| {
                let b: Vec<Vector> = b.iter().map(|row| row.load_lanes(k, lanes)).collect();
                let a: Vec<Vector> = a.iter().map(|row| row.load_lanes(k, lanes)).collect();
                let products = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
                products.zip(&sums).map(|((a, b), sum)| a.times_plus(*b, *sum)).collect()
            });
            let sums = total(&transpose(&sums));
            // Lanes i · together … of the register belong to row i.
            for i in 0..rows {
                let lanes = Lanes::range(f, i * together, (i + 1) * together);
                let to = self.sums.at((row + i) * self.sums_leading + column);
                let at = f.index(first - i * together);
                let before = self.accumulate.select(to.load_lanes(at, lanes), f.vector(0.0));
                to.store_lanes(at, before + sums, lanes);
            }
        }
    }

    /// All columns, `rows` rows at a time and as many registers as fit of each number of them, then one by one.
    fn combine_columns(self, f: &'f Function<'f>, rows: i64, registers: &[i64]) {
        let width = f.vectors().width as i64;
        let mut begin = f.index(0);
        for registers in registers {
            let step = registers * width;
            let end = begin + (self.columns - begin) / step * step;
            f.each(begin, end, step, |column| self.combine(f, rows, column, *registers, Lanes::All));
            begin = end;
        }
        f.each(begin, self.columns, width, |column| {
            let lanes = Lanes::Some((self.columns - column).lanes());
            self.combine(f, rows, column, 1, lanes);
        });
    }

    fn combine(self, f: &'f Function<'f>, rows: i64, column: Index<'f>, registers: i64, lanes: Lanes<'f>) {
        let width = f.vectors().width as i64;
        f.each(f.index(0), self.depth.or_at_least(f.index(1)), STEPS, |first| {
            let end = (first + STEPS).or_at_most(self.depth);
            let adds = self.accumulate | f.index(0).less(first);
            f.each(f.index(0), self.rows, rows, |row| {
                let a = self.a_rows(row, rows);
                let to: Vec<Pointer> = (0..rows)
                    .map(|i| self.sums.at((row + i) * self.sums_leading + column))
                    .flat_map(|to| (0..registers).map(move |r| to.at(f.index(r * width))))
                    .collect();
                let before = |to: &Pointer<'f>| adds.select(to.load_vector(f.index(0)), f.vector(0.0));
                let before: Vec<Vector> = to.iter().map(before).collect();
                let sums = f.carry(first, end, 1, before, |k, sums| {
                    let b = self.b.at(k * self.b_leading + column);
                    let ahead = b.at(self.b_leading * AHEAD);
                    (0..registers * width).step_by(LINE).for_each(|line| ahead.prefetch(f.index(line), false));
                    let b: Vec<Vector> = (0..registers).map(|r| b.load_lanes(f.index(r * width), lanes)).collect();
                    let a: Vec<Vector> = a.iter().map(|row| row.load(k).splat()).collect();
                    let products = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
                    products.zip(&sums).map(|((a, b), sum)| a.times_plus(*b, *sum)).collect()
                });
                to.iter().zip(sums).for_each(|(to, sum)| to.store_vector(f.index(0), sum));
            });
        });
    }

    /// `count` rows of A; beyond the edge, the last.
    fn a_rows(self, row: Index<'f>, count: i64) -> Vec<Pointer<'f>> {
        let row = |i: i64| (row + i).or_at_most(self.rows - 1) * self.a_leading;
        (0..count).map(|i| self.a.at(row(i))).collect()
    }

    /// Calls a helper of the module with all of this.
    fn call(self, f: &'f Function<'f>, name: &str, body: impl for<'g> FnOnce(&'g Function<'g>, Few<'g>)) {
        let accumulate = self.accumulate.select(f.index(1), f.index(0));
        let Few { a, a_leading, rows, b, b_leading, columns, depth, sums, sums_leading, .. } = self;
        let indices = [a_leading, rows, b_leading, columns, depth, sums_leading, accumulate];
        f.call(name, &[a, b, sums], &indices, |f, pointers, indices| {
            let (&[a, b, sums], &[a_leading, rows, b_leading, columns, depth, sums_leading, accumulate]) =
                (pointers, indices)
            else {
                return;
            };
            let accumulate = f.index(0).less(accumulate);
            body(f, Few { a, a_leading, rows, b, b_leading, columns, depth, sums, sums_leading, accumulate });
        });
    }
}

/// The sum of vectors, as a tree.
fn total<'f>(vectors: &[Vector<'f>]) -> Vector<'f> {
    match vectors {
        [one] => *one,
        several => {
            let (a, b) = several.split_at(several.len() / 2);
            total(a) + total(b)
        }
    }
}
