//! Instructions of AVX-512 that no general operation stands for: only where [`crate::vectors::Vectors::avx512`] says so.

use super::value::{I16, Int16, Ints, Vector};

impl<'f> Ints<'f> {
    /// In each lane the number of `table` that its low bits count.
    pub fn look_up(self, table: Vector<'f>) -> Vector<'f> {
        self.function.intrinsic("llvm.x86.avx512.permvar.sf.512", &[table.raw, self.raw])
    }
}

impl<'f> Vector<'f> {
    /// self · 2ⁿ for whole n, rounded once where that is denormal.
    pub fn scaled(self, n: Vector<'f>) -> Vector<'f> {
        let f = self.function;
        let every_lane: Int16 = f.literal(f.integer(f.ty::<I16>(), -1));
        let rounding_as_set = f.int32(4);
        let operands = [self.raw, n.raw, self.raw, every_lane.raw, rounding_as_set.raw];
        f.intrinsic("llvm.x86.avx512.mask.scalef.ps.512", &operands)
    }
}
