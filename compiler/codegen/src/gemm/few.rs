//! Products with few rows of A, on the matrices as they are stored: nothing is packed, and B comes from memory once.
//!
//! With a single row the memory is the limit. Several rows share what is loaded of B while it is in registers.

use super::Numbers;
use crate::mlir::{Bool, Cache, Function, Index, Lanes, Pointer, Stored, Vector, transpose};
use tfc_compiler::graph::DType;

/// Rows of A that are done together where there is more than one.
const ROWS: i64 = 4;
/// Steps of k after which the next rows of A take their turn: what they share of B stays in the second cache.
const SHARED_STEPS: i64 = 512;
/// Registers of a row of B that are loaded before the sums of the first are added to again.
const TOGETHER: usize = 4;
/// How many steps of k ahead B is asked for where its rows are stored along the columns.
const AHEAD: i64 = 8;
/// Elements of B that are asked for before they are read where it is read in order: what comes in order comes by itself, but not as early as it could. Fewer
/// where the first cache would lose them ([`crate::vectors::Vectors::passing`]).
const IN_ORDER_AHEAD: i64 = 4096;
const IN_ORDER_NEAR: i64 = 1024;
/// f32 of a cache line.
const LINE: usize = 16;

/// `sums[rows, columns] (+)= A · B` over `depth` steps of k.
#[derive(Clone, Copy)]
pub struct Few<'f> {
    /// What is multiplied; B is made so as it is loaded, A is so already.
    pub numbers: Numbers,
    /// `[rows, steps]`, its rows `a_leading` lanes apart: the steps of `depth` k. What the last lacks is 0.
    pub a: Pointer<'f>,
    pub a_leading: Index<'f>,
    pub rows: Index<'f>,
    pub b: Stored<'f>,
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
        let stored = match self.b.dtype {
            DType::F32 | DType::I32 => "f32",
            DType::BF16 => "bf16",
        };
        self.call(f, &format!("dots_{}_from_{stored}", self.numbers.name()), |f, few| {
            let several = |column| f.each(f.index(0), few.rows, ROWS, |row| few.dots_at(f, row, column));
            f.each(f.index(0), few.columns, f.vectors().width as i64, |column| {
                f.either(
                    few.rows.equals(f.index(1)),
                    || few.dots_in_order(f, 1, column),
                    || {
                        f.either(
                            few.rows.at_most(f.index(ROWS)),
                            || few.dots_in_order(f, ROWS, column),
                            || several(column),
                        )
                    },
                );
            });
        });
    }

    /// B is stored as `[depth, columns]`, and all is f32: a row of sums is a sum of rows of B.
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

    /// The first `rows` rows times a register of columns, column by column: B is read from one end to the other, which is what memory is fastest at.
    fn dots_in_order(self, f: &'f Function<'f>, rows: i64, column: Index<'f>) {
        let (numbers, width) = (self.numbers, f.vectors().width as i64);
        let step = width * numbers.step();
        let ahead = if f.vectors().passing { IN_ORDER_AHEAD } else { IN_ORDER_NEAR };
        let a = self.a_rows(f.index(0), rows);
        // For each row and column the sums in all lanes of k.
        let lanes_of = f.stack(rows * width * width);
        f.times((self.columns - column).or_at_most(f.index(width)), |i| {
            let b = self.b.at((column + i) * self.b_leading);
            let add = |k: Index<'f>, registers: i64, there: Option<Index<'f>>, mut sums: Vec<Vector<'f>>| {
                let lanes = there.map_or(Lanes::All, |there| Lanes::Some(numbers.steps(there).lanes()));
                for register in 0..registers {
                    let k = k + register * step;
                    b.at(k + ahead).prefetch(step, Cache::First, false);
                    let b = numbers.along(b, k, there);
                    for (a, sums) in a.iter().zip(sums.chunks_mut(TOGETHER)) {
                        let sum = &mut sums[register as usize];
                        *sum = numbers.accumulate(a.load_lanes(k / numbers.step(), lanes), b, *sum);
                    }
                }
                sums
            };
            let [most, whole] = [TOGETHER as i64 * step, step].map(|step| self.depth - self.depth % step);
            let sums = vec![f.vector(0.0); rows as usize * TOGETHER];
            let together = |k, sums| add(k, TOGETHER as i64, None, sums);
            let sums = f.carry(f.index(0), most, TOGETHER as i64 * step, sums, together);
            let sums = f.carry(most, whole, step, sums, |k, sums| add(k, 1, None, sums));
            let rest = || add(whole, 1, Some(self.depth - whole), sums.clone());
            let sums = f.either(whole.less(self.depth), rest, || sums.clone());
            for (row, sums) in (0..rows).zip(sums.chunks(TOGETHER)) {
                lanes_of.store_vector((i + row * width) * width, total(sums));
            }
        });
        for row in 0..rows {
            let columns = (0..width).map(|i| lanes_of.load_vector(f.index((row * width + i) * width)));
            let sums = total(&transpose(&columns.collect::<Vec<_>>()));
            let to = self.sums.at(self.sums_leading * row + column);
            let before = self.accumulate.select(to.load_vector(f.index(0)), f.vector(0.0));
            to.store_vector(f.index(0), before + sums);
        }
    }

    /// Some rows from `row` on times a register of columns. Sums of some columns at a time are kept for all lanes of k; these are added in the end.
    fn dots_at(self, f: &'f Function<'f>, row: Index<'f>, column: Index<'f>) {
        let (numbers, width) = (self.numbers, f.vectors().width as i64);
        let together = width / ROWS;
        let a = self.a_rows(row, ROWS);
        for first in (0..width).step_by(together as usize) {
            // What is beyond the edge repeats the last column.
            let b_row = |i: i64| (column + (first + i)).or_at_most(self.columns - 1) * self.b_leading;
            let b: Vec<Stored> = (0..together).map(|i| self.b.at(b_row(i))).collect();
            let add = |k: Index<'f>, there: Option<Index<'f>>, sums: Vec<Vector<'f>>| -> Vec<Vector<'f>> {
                let lanes = there.map_or(Lanes::All, |there| Lanes::Some(numbers.steps(there).lanes()));
                let b: Vec<Vector> = b.iter().map(|row| numbers.along(*row, k, there)).collect();
                let a: Vec<Vector> = a.iter().map(|row| row.load_lanes(k / numbers.step(), lanes)).collect();
                let products = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
                products.zip(&sums).map(|((a, b), sum)| numbers.accumulate(*a, *b, *sum)).collect()
            };
            let zeros = vec![f.vector(0.0); width as usize];
            let step = width * numbers.step();
            let whole = self.depth - self.depth % step;
            let sums = f.carry(f.index(0), whole, step, zeros, |k, sums| add(k, None, sums));
            let rest = || add(whole, Some(self.depth - whole), sums.clone());
            let sums = f.either(whole.less(self.depth), rest, || sums.clone());
            let sums = total(&transpose(&sums));
            // Lanes i · together … of the register belong to row i.
            for i in 0..ROWS {
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
        f.each(f.index(0), self.depth.or_at_least(f.index(1)), SHARED_STEPS, |first| {
            let end = (first + SHARED_STEPS).or_at_most(self.depth);
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
                    let b = self.b.at(k * self.b_leading + column).pointer;
                    let ahead = b.at(self.b_leading * AHEAD);
                    (0..registers * width)
                        .step_by(LINE)
                        .for_each(|line| ahead.prefetch(f.index(line), Cache::First, false));
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
        let Few { numbers, a, a_leading, rows, b, b_leading, columns, depth, sums, sums_leading, .. } = self;
        let (dtype, indices) = (b.dtype, [a_leading, rows, b_leading, columns, depth, sums_leading, accumulate]);
        f.call(name, &[a, b.pointer, sums], &indices, |f, pointers, indices| {
            let (&[a, b, sums], &[a_leading, rows, b_leading, columns, depth, sums_leading, accumulate]) =
                (pointers, indices)
            else {
                return;
            };
            let (accumulate, b) = (f.index(0).less(accumulate), Stored { pointer: b, dtype });
            body(f, Few { numbers, a, a_leading, rows, b, b_leading, columns, depth, sums, sums_leading, accumulate });
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
