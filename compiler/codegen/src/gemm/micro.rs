//! The micro-kernel: a tile of C in registers.

use crate::mlir::{Function, Index, Pointer, Vector};

/// Steps of k in one turn of the loop.
const UNROLL: i64 = 4;

/// What the micro-kernel reads and writes.
pub struct Panels<'f> {
    /// `[k, rows]`.
    pub a: Pointer<'f>,
    /// `[k, columns]`, rows `b_stride` apart.
    pub b: Pointer<'f>,
    pub b_stride: Index<'f>,
    pub k: Index<'f>,
    /// `[rows, columns]`.
    pub tile: Pointer<'f>,
    /// Whether to add to the tile, 1, or to overwrite it, 0.
    pub accumulate: Index<'f>,
}

/// tile (+)= Aᵀ-panel · B-panel.
pub fn multiply<'f>(f: &'f Function<'f>, panels: &Panels<'f>) {
    let Panels { a, b, b_stride, k, tile, accumulate } = *panels;
    f.call("multiply", &[a, b, tile], &[b_stride, k, accumulate], |f, pointers, indices| {
        let (&[a, b, tile], &[b_stride, k, accumulate]) = (pointers, indices) else { return };
        let zeros = || vec![f.vector(0.0); f.vectors().rows * f.vectors().registers];
        let tile_of = |register: usize| f.index((register * f.vectors().width) as i64);
        let loads = || (0..zeros().len()).map(|r| tile.load_vector(tile_of(r))).collect::<Vec<_>>();
        let sums = f.either(accumulate.equals(f.index(0)), zeros, loads);
        let whole = k - k % UNROLL;
        let sums = f.carry(f.index(0), whole, UNROLL, sums, |k, sums| steps(f, a, b, b_stride, k, UNROLL, sums));
        let sums = f.carry(whole, k, 1, sums, |k, sums| steps(f, a, b, b_stride, k, 1, sums));
        sums.iter().enumerate().for_each(|(r, sum)| tile.store_vector(tile_of(r), *sum));
    });
}

/// Adds the products of `count` steps of k, from `k` on.
fn steps<'f>(
    f: &'f Function<'f>,
    a: Pointer<'f>,
    b: Pointer<'f>,
    b_stride: Index<'f>,
    k: Index<'f>,
    count: i64,
    mut sums: Vec<Vector<'f>>,
) -> Vec<Vector<'f>> {
    let (rows, registers, width) = (f.vectors().rows, f.vectors().registers, f.vectors().width as i64);
    let (a, b) = (a.at(k * rows as i64), b.at(k * b_stride));
    for step in 0..count {
        let row = b.at(b_stride * step);
        let columns: Vec<_> = (0..registers as i64).map(|v| row.load_vector(f.index(v * width))).collect();
        for r in 0..rows {
            let element = a.load(f.index(step * rows as i64 + r as i64)).splat();
            for (v, column) in columns.iter().enumerate() {
                let sum = &mut sums[r * registers + v];
                *sum = element.times_plus(*column, *sum);
            }
        }
    }
    sums
}
