//! The micro-kernel: a tile of C in registers.

use super::{Layout, Numbers, Rows, tiles};
use crate::mlir::{Bool, Cache, Function, Index, Pointer, Scalar, Stored, Vector};
use crate::vectors::Vectors;
use tfc_compiler::optimization::Optimization;

/// Steps of k in one turn of the loop on a panel of A. On stored rows a turn has one: with several, LLVM loads the words of all before it multiplies,
/// and spills sums.
const UNROLL: i64 = 4;

/// What the micro-kernel reads and writes.
#[derive(Clone, Copy)]
pub struct Product<'f> {
    pub a: RowsOfA<'f>,
    pub b: Pointer<'f>,
    /// How many.
    pub k: Index<'f>,
    /// What there is already, `[rows, columns]`, and whether to add to it.
    pub before: Pointer<'f>,
    pub accumulate: Bool<'f>,
    /// Columns of C that are left: with more than a tile has, all of the tile exists.
    pub columns: Index<'f>,
    /// May be where `before` is.
    pub out: Rows<'f>,
    /// Whether the sums are added to what is in `out`, in place of overwriting it.
    pub adds: Bool<'f>,
}

/// The rows of A in a tile, of which each step of k multiplies one word.
#[derive(Clone, Copy)]
pub enum RowsOfA<'f> {
    /// A panel.
    Packed(Pointer<'f>),
    /// The matrix from an element on, and the distance of its rows: numbers that are multiplied as they are stored.
    Stored(Stored<'f>, Index<'f>),
}

impl<'f> RowsOfA<'f> {
    /// The same from a step on.
    fn from(self, numbers: Numbers, step: Index<'f>) -> RowsOfA<'f> {
        match self {
            RowsOfA::Packed(panel) => {
                let pitch = Layout::of_a(numbers, step.function().vectors()).pitch;
                RowsOfA::Packed(panel.at(step * pitch))
            }
            RowsOfA::Stored(first, leading) => RowsOfA::Stored(first.at(step * numbers.step()), leading),
        }
    }

    /// As multiplications know them that read the same word: under one name, or each under its own, where it is to read it itself.
    fn names(self, count: usize, vectors: Vectors) -> Vec<RowsOfA<'f>> {
        match self {
            RowsOfA::Packed(panel) if vectors.embedded_broadcast => {
                let names = std::iter::successors(Some(panel.renamed()), |panel| Some(panel.renamed()));
                names.take(count).map(RowsOfA::Packed).collect()
            }
            _ => vec![self],
        }
    }

    /// Of a row some steps on; in a matrix `is_whole` tells whether it has all numbers of the step, or one less.
    fn word(self, numbers: Numbers, row: usize, after: Index<'f>, is_whole: bool) -> Scalar<'f> {
        let row = after.constant(row as i64);
        match self {
            RowsOfA::Packed(panel) => panel.load(after * Layout::of_a(numbers, after.function().vectors()).pitch + row),
            RowsOfA::Stored(first, leading) => {
                numbers.word(first.at(row * leading).pointer, after * numbers.step(), is_whole)
            }
        }
    }
}

/// Memory that will be read or written soon: the beginnings of some rows.
#[derive(Clone, Copy)]
pub struct Wanted<'f> {
    pub rows: Rows<'f>,
    pub count: Index<'f>,
}

impl Wanted<'_> {
    /// How much of a row: as a row of a tile has.
    pub fn words(vectors: Vectors) -> i64 {
        vectors.columns() as i64
    }
}

/// out = (out +) (before +) rows of A · B-panel. Asks for what is wanted on the way, a row in [`UNROLL`] steps: a core waits for few lines at a time,
/// and were it to ask for all of them at once, the panels would have to wait as well.
///
/// Where C ends within the tile, registers without columns are left out: what is in `out` there is not written.
pub fn multiply<'f>(f: &'f Function<'f>, numbers: Numbers, product: Product<'f>, wanted: &[Wanted<'f>]) {
    if numbers.in_tiles(f.vectors()) {
        return tiles::multiply(f, product, wanted);
    }
    let fewest = if f.uses(Optimization::EdgeTiles) { 1 } else { f.vectors().registers };
    with_registers(f, fewest, product.columns, &|registers| multiply_tile(f, registers, numbers, product, wanted));
}

/// Emits a tile of as many registers to a row as hold all columns, `registers` of them or more.
fn with_registers<'f>(f: &'f Function<'f>, registers: usize, columns: Index<'f>, tile: &dyn Fn(usize)) {
    if registers == f.vectors().registers {
        return tile(registers);
    }
    let suffice = columns.at_most(f.index((registers * f.vectors().width) as i64));
    f.either(suffice, || tile(registers), || with_registers(f, registers + 1, columns, tile));
}

/// The product for the first `registers` of each row of the tile.
fn multiply_tile<'f>(
    f: &'f Function<'f>,
    registers: usize,
    numbers: Numbers,
    product: Product<'f>,
    wanted: &[Wanted<'f>],
) {
    let Product { a, b, k, before, accumulate, out, adds, .. } = product;
    let [accumulate, adds] = [accumulate, adds].map(|truth| truth.select(f.index(1), f.index(0)));
    let (kind, pointer, leading) = match a {
        RowsOfA::Packed(panel) => ("", panel, f.index(0)),
        RowsOfA::Stored(first, leading) => ("_stored", first.pointer, leading),
    };
    let name = format!("multiply{kind}_{}_in_{registers}_asking_for_{}", numbers.name(), wanted.len());
    let firsts = wanted.iter().map(|wanted| wanted.rows.pointer);
    let counts = wanted.iter().flat_map(|wanted| [wanted.rows.stride, wanted.count]);
    let pointers: Vec<Pointer> = [pointer, b, before, out.pointer].into_iter().chain(firsts).collect();
    let indices: Vec<Index> = [leading, k, accumulate, out.stride, adds].into_iter().chain(counts).collect();
    let dtype = if let RowsOfA::Stored(first, _) = a { Some(first.dtype) } else { None };
    f.call(&name, &pointers, &indices, |f, pointers, indices| {
        let &[pointer, b, before, out, ref firsts @ ..] = pointers else { return };
        let &[leading, k, accumulate, distance, adds, ref counts @ ..] = indices else { return };
        let all = numbers.steps(k);
        let (a, unroll, whole) = match dtype {
            None => (RowsOfA::Packed(pointer), UNROLL, all - all % UNROLL),
            Some(dtype) => (RowsOfA::Stored(Stored { pointer, dtype }, leading), 1, k / numbers.step()),
        };
        let (rows, width) = (f.vectors().rows, f.vectors().width);
        let zeros = || vec![f.vector(0.0); rows * registers];
        let column = |register: usize| f.index((register * width) as i64);
        let load = |row: usize| {
            let row = before.at(f.index((row * f.vectors().columns()) as i64));
            (0..registers).map(move |register| row.load_vector(column(register)))
        };
        let loads = || (0..rows).flat_map(load).collect::<Vec<_>>();
        let sums = f.either(accumulate.equals(f.index(0)), zeros, loads);
        let turn = |k, sums| steps(f, numbers, (a, b), (k, unroll, true), sums);
        let (mut done, mut sums) = (f.index(0), sums);
        for (first, count) in firsts.iter().zip(counts.chunks_exact(2)) {
            let (begin, end) = (done, (done + count[1] * UNROLL).or_at_most(whole));
            sums = f.carry(begin, end, unroll, sums, |k, sums| {
                let row = Stored::from(first.at((k - begin) / UNROLL * count[0]));
                row.prefetch(Wanted::words(f.vectors()), Cache::First, false);
                turn(k, sums)
            });
            done = end;
        }
        let sums = f.carry(done, whole, unroll, sums, turn);
        let sums = f.carry(whole, all, 1, sums, |k, sums| steps(f, numbers, (a, b), (k, 1, false), sums));
        let store = |adds: bool| {
            for (row, sums) in sums.chunks_exact(registers).enumerate() {
                let row = out.at(distance * row as i64);
                for (register, sum) in sums.iter().enumerate() {
                    let sum = if adds { *sum + row.load_vector(column(register)) } else { *sum };
                    row.store_vector(column(register), sum);
                }
            }
        };
        f.either(adds.equals(f.index(0)), || store(false), || store(true));
    });
}

/// Adds the products of `count` steps of k from one on, whole ones or the last.
fn steps<'f>(
    f: &'f Function<'f>,
    numbers: Numbers,
    (a, b): (RowsOfA<'f>, Pointer<'f>),
    (k, count, are_whole): (Index<'f>, i64, bool),
    mut sums: Vec<Vector<'f>>,
) -> Vec<Vector<'f>> {
    let vectors = f.vectors();
    let registers = sums.len() / vectors.rows;
    let b_pitch = Layout::of_b(numbers, vectors).pitch;
    let b = b.at(k * b_pitch);
    let names = a.from(numbers, k).names(registers, vectors);
    for step in 0..count {
        let columns: Vec<Vector> = (0..registers)
            .map(|register| b.load_vector(f.index(step * b_pitch + (register * vectors.width) as i64)))
            .collect();
        for row in 0..vectors.rows {
            let words: Vec<_> = names.iter().map(|a| a.word(numbers, row, f.index(step), are_whole).splat()).collect();
            for (register, (column, word)) in columns.iter().zip(words.iter().cycle()).enumerate() {
                let sum = &mut sums[row * registers + register];
                *sum = numbers.accumulate(*word, *column, *sum);
            }
        }
    }
    sums
}
