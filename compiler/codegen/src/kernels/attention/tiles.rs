//! The products of attention in tile registers: two by two tiles, whose operands are read where they lie.

use crate::gemm::{Rows, TileSums};
use crate::mlir::{Function, Index};

/// 32 rows and 32 columns.
#[derive(Clone, Copy)]
pub struct Quad<'f> {
    /// Rows of pairs, and how many words further the next 32 k are.
    pub a: Rows<'f>,
    pub a_step: Index<'f>,
    /// A row for each pair of k, how many words further the next 32 k are, and how many the tile beside.
    pub b: Rows<'f>,
    pub b_step: Index<'f>,
    pub b_beside: i64,
    /// Of 32 k.
    pub steps: Index<'f>,
    pub out: Rows<'f>,
}

/// out = (out +) A · B.
pub fn multiply<'f>(f: &'f Function<'f>, adds: bool, quad: Quad<'f>) {
    let Quad { a, a_step, b, b_step, b_beside, steps, out } = quad;
    let name = format!("{}_quad_{b_beside}", if adds { "add" } else { "multiply" });
    let (pointers, sizes) =
        ([a.pointer, b.pointer, out.pointer], [a.stride, a_step, b.stride, b_step, steps, out.stride]);
    f.call(&name, &pointers, &sizes, |f, pointers, sizes| {
        let (&[a, b, out], &[a_stride, a_step, b_stride, b_step, steps, stride]) = (pointers, sizes) else { return };
        let (sums, out) = (TileSums { f, columns: 2 }, Rows { pointer: out, stride });
        if adds {
            sums.load(out)
        } else {
            sums.zero()
        }
        f.times(steps, |step| {
            let a = Rows { pointer: a.at(step * a_step), stride: a_stride };
            sums.add(a, Rows { pointer: b.at(step * b_step), stride: b_stride }, b_beside);
        });
        sums.store(out);
    });
}
