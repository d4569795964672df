//! The micro-kernel: a tile of C in registers.

use super::{Layout, Numbers, Rows};
use crate::mlir::{Bool, Cache, Function, Index, Pointer, Scalar, Stored, Vector};
use crate::vectors::Vectors;
use tfc_compiler::optimization::Optimization;

/// Steps of k in one turn of the loop on a panel of A; on rows one, for with several LLVM loads the elements of all before it multiplies, and spills sums.
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
}

/// The rows of A in a tile, of which each step of k multiplies one word.
#[derive(Clone, Copy)]
pub enum RowsOfA<'f> {
    /// A panel.
    Packed(Pointer<'f>),
    /// The matrix, whose words are those that a panel would have.
    Stored(Rows<'f>),
}

impl<'f> RowsOfA<'f> {
    /// Of a row, at a step behind the one of number `k`.
    fn word(self, layout: Layout, k: Index<'f>, (row, step): (usize, i64)) -> Scalar<'f> {
        let (row, after) = (k.constant(row as i64), k.constant(step));
        match self {
            RowsOfA::Packed(panel) => panel.at(k * layout.pitch).load(after * layout.pitch + row),
            RowsOfA::Stored(rows) => rows.row(row).at(k).load(after),
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

/// out = (before +) rows of A · B-panel. Asks for what is wanted on the way, a row in each turn of the loop: a core waits for few lines at a time, and
/// were it to ask for all of them at once, the panels would have to wait as well.
///
/// Where C ends within the tile, registers without columns are left out: what is in `out` there is not written.
pub fn multiply<'f>(f: &'f Function<'f>, numbers: Numbers, product: Product<'f>, wanted: &[Wanted<'f>]) {
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
    let Product { a, b, k, before, accumulate, out, .. } = product;
    let accumulate = accumulate.select(f.index(1), f.index(0));
    let (is_packed, a) = match a {
        RowsOfA::Packed(panel) => (true, Rows { pointer: panel, stride: f.index(0) }),
        RowsOfA::Stored(rows) => (false, rows),
    };
    let (kind, unroll) = if is_packed { ("", UNROLL) } else { ("_stored", 1) };
    let name = format!("multiply{kind}_{}_in_{registers}_asking_for_{}", numbers.name(), wanted.len());
    let firsts = wanted.iter().map(|wanted| wanted.rows.pointer);
    let counts = wanted.iter().flat_map(|wanted| [wanted.rows.stride, wanted.count]);
    let pointers: Vec<Pointer> = [a.pointer, b, before, out.pointer].into_iter().chain(firsts).collect();
    let indices: Vec<Index> = [a.stride, numbers.steps(k), accumulate, out.stride].into_iter().chain(counts).collect();
    f.call(&name, &pointers, &indices, |f, pointers, indices| {
        let &[pointer, b, before, out, ref firsts @ ..] = pointers else { return };
        let &[stride, k, accumulate, distance, ref counts @ ..] = indices else { return };
        let a = if is_packed { RowsOfA::Packed(pointer) } else { RowsOfA::Stored(Rows { pointer, stride }) };
        let (rows, width) = (f.vectors().rows, f.vectors().width);
        let zeros = || vec![f.vector(0.0); rows * registers];
        let column = |register: usize| f.index((register * width) as i64);
        let load = |row: usize| {
            let row = before.at(f.index((row * f.vectors().columns()) as i64));
            (0..registers).map(move |register| row.load_vector(column(register)))
        };
        let loads = || (0..rows).flat_map(load).collect::<Vec<_>>();
        let sums = f.either(accumulate.equals(f.index(0)), zeros, loads);
        let whole = k - k % unroll;
        let turn = |k, sums| steps(f, numbers, (a, b), k, unroll, sums);
        let (mut done, mut sums) = (f.index(0), sums);
        for (first, count) in firsts.iter().zip(counts.chunks_exact(2)) {
            let (begin, end) = (done, (done + count[1] * unroll).or_at_most(whole));
            sums = f.carry(begin, end, unroll, sums, |k, sums| {
                let row = Stored::from(first.at((k - begin) / unroll * count[0]));
                row.prefetch(Wanted::words(f.vectors()), Cache::First, false);
                turn(k, sums)
            });
            done = end;
        }
        let sums = f.carry(done, whole, unroll, sums, turn);
        let sums = f.carry(whole, k, 1, sums, |k, sums| steps(f, numbers, (a, b), k, 1, sums));
        for (row, sums) in sums.chunks_exact(registers).enumerate() {
            let row = out.at(distance * row as i64);
            sums.iter().enumerate().for_each(|(register, sum)| row.store_vector(column(register), *sum));
        }
    });
}

/// Adds the products of `count` steps of k, from `k` on.
fn steps<'f>(
    f: &'f Function<'f>,
    numbers: Numbers,
    (a, b): (RowsOfA<'f>, Pointer<'f>),
    k: Index<'f>,
    count: i64,
    mut sums: Vec<Vector<'f>>,
) -> Vec<Vector<'f>> {
    let vectors = f.vectors();
    let registers = sums.len() / vectors.rows;
    let (layout_of_a, b_pitch) = (Layout::of_a(numbers, vectors), Layout::of_b(numbers, vectors).pitch);
    let b = b.at(k * b_pitch);
    for step in 0..count {
        let columns: Vec<Vector> = (0..registers)
            .map(|register| b.load_vector(f.index(step * b_pitch + (register * vectors.width) as i64)))
            .collect();
        for row in 0..vectors.rows {
            let word = a.word(layout_of_a, k, (row, step)).splat();
            for (register, column) in columns.iter().enumerate() {
                let sum = &mut sums[row * registers + register];
                *sum = numbers.accumulate(word, *column, *sum);
            }
        }
    }
    sums
}
