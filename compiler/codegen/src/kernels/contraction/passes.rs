//! How k is divided where a panel of all of it would be too long for the caches.

use crate::gemm::{Numbers, most_depth};
use crate::mlir::Index;
use crate::vectors::Vectors;
use tfc_compiler::executable::Extent;
use tfc_compiler::kernel::Contraction;

/// Passes over k, all of one depth but for the last.
#[derive(Clone, Copy)]
pub struct Passes<'f> {
    k: Index<'f>,
    /// At least one.
    pub count: Index<'f>,
    pub depth: Index<'f>,
}

impl<'f> Passes<'f> {
    /// How many there are over k, of which there is some.
    pub fn count(k: Extent, numbers: Numbers, vectors: Vectors) -> Extent {
        k.units(most_depth(numbers, vectors))
    }

    /// Depths are whole items of a packing that threads share.
    pub fn new(k: Index<'f>, numbers: Numbers, vectors: Vectors) -> Passes<'f> {
        let count = k.ceiling_division(most_depth(numbers, vectors)).or_at_least(k.constant(1));
        Passes { k, count, depth: ((k + count - 1) / count).round_up(Contraction::PACKED_ROWS) }
    }

    /// Where a pass begins, and its own depth.
    pub fn of(self, pass: Index<'f>) -> (Index<'f>, Index<'f>) {
        let first = pass * self.depth;
        (first, (self.k - first).or_at_most(self.depth))
    }
}
