//! The products of attention in tile registers: two by two tiles, whose operands are read where they lie.

use crate::gemm::{Rows, TileSums};
use crate::mlir::{Function, Index, TILE};

/// 32 rows and 32 columns.
#[derive(Clone, Copy)]
pub struct Quad<'f> {
    /// Rows of pairs, and how many words further the next 32 k are.
    pub a: Rows<'f>,
    pub a_step: Index<'f>,
    /// A row for each pair of k.
    pub b: Rows<'f>,
    /// Of 32 k.
    pub steps: Index<'f>,
    pub out: Rows<'f>,
}

/// out = (out +) A · B.
pub fn multiply<'f>(f: &'f Function<'f>, adds: bool, quad: Quad<'f>) {
    let Quad { a, a_step, b, steps, out } = quad;
    let name = if adds { "add_quad" } else { "multiply_quad" };
    let (pointers, sizes) = ([a.pointer, b.pointer, out.pointer], [a.stride, a_step, b.stride, steps, out.stride]);
    f.call(name, &pointers, &sizes, |f, pointers, sizes| {
        let (&[a, b, out], &[a_stride, a_step, b_stride, steps, stride]) = (pointers, sizes) else { return };
        let (sums, out) = (TileSums { f, columns: 2 }, Rows { pointer: out, stride });
        if adds {
            sums.load(out)
        } else {
            sums.zero()
        }
        f.times(steps, |step| {
            let a = Rows { pointer: a.at(step * a_step), stride: a_stride };
            sums.add(a, Rows { pointer: b, stride: b_stride }.from(step * TILE));
        });
        sums.store(out);
    });
}
