//! Rows of one head in a tensor `[sequences, positions, heads, channels]`.

use crate::mlir::{Bool, Index, Pointer};

#[derive(Clone, Copy)]
pub struct Rows<'f> {
    pointer: Pointer<'f>,
    /// Numbers from row to row.
    stride: Index<'f>,
    /// Rows that there are.
    pub count: Index<'f>,
}

impl<'f> Rows<'f> {
    /// Those of `head` in the sequence, which has `positions` of `heads` heads, `count` of them in use.
    pub fn of_head(
        tensor: Pointer<'f>,
        channels: i64,
        (sequence, positions, count): (Index<'f>, Index<'f>, Index<'f>),
        heads: Index<'f>,
        head: Index<'f>,
    ) -> Rows<'f> {
        let first = (sequence * positions * heads + head) * channels;
        Rows { pointer: tensor.at(first), stride: heads * channels, count }
    }

    pub fn row(self, index: Index<'f>) -> Pointer<'f> {
        self.pointer.at(index * self.stride)
    }

    pub fn exists(self, index: Index<'f>) -> Bool<'f> {
        index.less(self.count)
    }
}
