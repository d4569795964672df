//! How k is divided where a panel of all of it would be too long for the caches.

use crate::gemm::{Numbers, STEPS};
use crate::mlir::Index;
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
    pub fn count(k: Extent, numbers: Numbers) -> Extent {
        k.units(STEPS * numbers.step())
    }

    /// Depths are whole items of a packing that threads share.
    pub fn new(k: Index<'f>, numbers: Numbers) -> Passes<'f> {
        const { assert!(STEPS % Contraction::PACKED_ROWS == 0) };
        const { assert!(STEPS * Numbers::Bf16Pairs.step() == Contraction::SEGMENT) };
        let count = k.ceiling_division(STEPS * numbers.step()).or_at_least(k.constant(1));
        Passes { k, count, depth: ((k + count - 1) / count).round_up(Contraction::PACKED_ROWS) }
    }

    /// Where a pass begins, and its own depth.
    pub fn of(self, pass: Index<'f>) -> (Index<'f>, Index<'f>) {
        let first = pass * self.depth;
        (first, (self.k - first).or_at_most(self.depth))
    }
}
