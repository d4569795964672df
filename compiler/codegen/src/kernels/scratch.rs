//! Parts of the memory that a launch hands to a thread.

use crate::mlir::Pointer;

/// Parts begin on cache lines.
const LINE: i64 = 16;

pub struct Scratch;

impl Scratch {
    /// f32 in all parts of these sizes.
    pub fn total(parts: &[i64]) -> i64 {
        parts.iter().map(|elements| aligned(*elements)).sum()
    }

    /// Where each part begins.
    pub fn divide<'f, const N: usize>(scratch: Pointer<'f>, parts: [i64; N]) -> [Pointer<'f>; N] {
        std::array::from_fn(|i| scratch.at(scratch.function().index(Scratch::total(&parts[..i]))))
    }
}

fn aligned(elements: i64) -> i64 {
    (elements + LINE - 1) / LINE * LINE
}
