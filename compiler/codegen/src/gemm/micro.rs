//! The micro-kernel: a tile of C in registers.

use super::{Layout, Numbers};
use crate::mlir::{Bool, Function, Index, Pointer, Vector};

/// Steps of k in one turn of the loop.
const UNROLL: i64 = 4;

/// What the micro-kernel reads and writes.
#[derive(Clone, Copy)]
pub struct Panels<'f> {
    pub a: Pointer<'f>,
    pub b: Pointer<'f>,
    /// How many.
    pub k: Index<'f>,
    /// `[rows, columns]`.
    pub tile: Pointer<'f>,
    /// Whether to add to the tile, else it is overwritten.
    pub accumulate: Bool<'f>,
}

/// tile (+)= A-panel · B-panel.
pub fn multiply<'f>(f: &'f Function<'f>, numbers: Numbers, panels: Panels<'f>) {
    let Panels { a, b, k, tile, accumulate } = panels;
    let accumulate = accumulate.select(f.index(1), f.index(0));
    let name = format!("multiply_{}", numbers.name());
    f.call(&name, &[a, b, tile], &[numbers.steps(k), accumulate], |f, pointers, indices| {
        let (&[a, b, tile], &[k, accumulate]) = (pointers, indices) else { return };
        let zeros = || vec![f.vector(0.0); f.vectors().rows * f.vectors().registers];
        let tile_of = |register: usize| f.index((register * f.vectors().width) as i64);
        let loads = || (0..zeros().len()).map(|r| tile.load_vector(tile_of(r))).collect::<Vec<_>>();
        let sums = f.either(accumulate.equals(f.index(0)), zeros, loads);
        let whole = k - k % UNROLL;
        let sums = f.carry(f.index(0), whole, UNROLL, sums, |k, sums| steps(f, numbers, [a, b], k, UNROLL, sums));
        let sums = f.carry(whole, k, 1, sums, |k, sums| steps(f, numbers, [a, b], k, 1, sums));
        sums.iter().enumerate().for_each(|(r, sum)| tile.store_vector(tile_of(r), *sum));
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
    let (a_pitch, b_pitch) = (Layout::of_a(numbers, vectors).pitch, Layout::of_b(numbers, vectors).pitch);
    let (a, b) = (a.at(k * a_pitch), b.at(k * b_pitch));
    for step in 0..count {
        let columns: Vec<Vector> = (0..vectors.registers)
            .map(|register| b.load_vector(f.index(step * b_pitch + (register * vectors.width) as i64)))
            .collect();
        for row in 0..vectors.rows {
            let element = a.load(f.index(step * a_pitch + row as i64)).splat();
            for (register, column) in columns.iter().enumerate() {
                let sum = &mut sums[row * vectors.registers + register];
                *sum = numbers.accumulate(element, *column, *sum);
            }
        }
    }
    sums
}
