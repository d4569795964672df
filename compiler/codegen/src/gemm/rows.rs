//! Rows in memory.

use crate::mlir::{Index, Pointer};

/// Rows of numbers, `stride` apart: those of a tile, of a block, the queries, keys, … of one head.
#[derive(Clone, Copy)]
pub struct Rows<'f> {
    pub pointer: Pointer<'f>,
    pub stride: Index<'f>,
}

impl<'f> Rows<'f> {
    pub fn row(self, index: Index<'f>) -> Pointer<'f> {
        self.pointer.at(index * self.stride)
    }

    /// The rows from one on.
    pub fn from(self, first: Index<'f>) -> Rows<'f> {
        Rows { pointer: self.row(first), ..self }
    }
}
