//! The micro-kernel: a tile of C in registers.

use super::{Layout, Numbers, Rows};
use crate::mlir::{Bool, Cache, Function, Index, Pointer, Stored, Vector};
use crate::vectors::Vectors;
use tfc_compiler::optimization::Optimization;

/// Steps of k in one turn of the loop.
const UNROLL: i64 = 4;

/// What the micro-kernel reads and writes.
#[derive(Clone, Copy)]
pub struct Panels<'f> {
    pub a: Pointer<'f>,
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

/// out = (before +) A-panel · B-panel. Asks for what is wanted on the way, a row in each turn of the loop: a core waits for few lines at a time, and
/// were it to ask for all of them at once, the panels would have to wait as well.
///
/// Where C ends within the tile, registers without columns are left out: what is in `out` there is not written.
pub fn multiply<'f>(f: &'f Function<'f>, numbers: Numbers, panels: Panels<'f>, wanted: &[Wanted<'f>]) {
    let fewest = if f.uses(Optimization::EdgeTiles) { 1 } else { f.vectors().registers };
    with_registers(f, fewest, panels.columns, &|registers| multiply_tile(f, registers, numbers, panels, wanted));
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
    panels: Panels<'f>,
    wanted: &[Wanted<'f>],
) {
    let Panels { a, b, k, before, accumulate, out, .. } = panels;
    let accumulate = accumulate.select(f.index(1), f.index(0));
    let name = format!("multiply_{}_in_{registers}_asking_for_{}", numbers.name(), wanted.len());
    let firsts = wanted.iter().map(|wanted| wanted.rows.pointer);
    let counts = wanted.iter().flat_map(|wanted| [wanted.rows.stride, wanted.count]);
    let pointers: Vec<Pointer> = [a, b, before, out.pointer].into_iter().chain(firsts).collect();
    let indices: Vec<Index> = [numbers.steps(k), accumulate, out.stride].into_iter().chain(counts).collect();
    f.call(&name, &pointers, &indices, |f, pointers, indices| {
        let &[a, b, before, out, ref firsts @ ..] = pointers else { return };
        let &[k, accumulate, distance, ref counts @ ..] = indices else { return };
        let (rows, width) = (f.vectors().rows, f.vectors().width);
        let zeros = || vec![f.vector(0.0); rows * registers];
        let column = |register: usize| f.index((register * width) as i64);
        let load = |row: usize| {
            let row = before.at(f.index((row * f.vectors().columns()) as i64));
            (0..registers).map(move |register| row.load_vector(column(register)))
        };
        let loads = || (0..rows).flat_map(load).collect::<Vec<_>>();
        let sums = f.either(accumulate.equals(f.index(0)), zeros, loads);
        let whole = k - k % UNROLL;
        let turn = |k, sums| steps(f, numbers, [a, b], k, UNROLL, sums);
        let (mut done, mut sums) = (f.index(0), sums);
        for (first, count) in firsts.iter().zip(counts.chunks_exact(2)) {
            let (begin, end) = (done, (done + count[1] * UNROLL).or_at_most(whole));
            sums = f.carry(begin, end, UNROLL, sums, |k, sums| {
                let row = Stored::from(first.at((k - begin) / UNROLL * count[0]));
                row.prefetch(Wanted::words(f.vectors()), Cache::First, false);
                turn(k, sums)
            });
            done = end;
        }
        let sums = f.carry(done, whole, UNROLL, sums, turn);
        let sums = f.carry(whole, k, 1, sums, |k, sums| steps(f, numbers, [a, b], k, 1, sums));
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
    [a, b]: [Pointer<'f>; 2],
    k: Index<'f>,
    count: i64,
    mut sums: Vec<Vector<'f>>,
) -> Vec<Vector<'f>> {
    let vectors = f.vectors();
    let registers = sums.len() / vectors.rows;
    let (a_pitch, b_pitch) = (Layout::of_a(numbers, vectors).pitch, Layout::of_b(numbers, vectors).pitch);
    let (a, b) = (a.at(k * a_pitch), b.at(k * b_pitch));
    for step in 0..count {
        let columns: Vec<Vector> = (0..registers)
            .map(|register| b.load_vector(f.index(step * b_pitch + (register * vectors.width) as i64)))
            .collect();
        for row in 0..vectors.rows {
            let element = a.load(f.index(step * a_pitch + row as i64)).splat();
            for (register, column) in columns.iter().enumerate() {
                let sum = &mut sums[row * registers + register];
                *sum = numbers.accumulate(element, *column, *sum);
            }
        }
    }
    sums
}
