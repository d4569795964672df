//! How the work of a launch is divided among threads.

use super::{Body, Kernel};

/// The work items of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// Items `[-preparation, 0)` are all done before any other: what threads make for each other, in the memory that they share.
    pub preparation: i64,
    /// Items `[0, items)`.
    pub items: i64,
    /// Whether a few items cost no more than their part of all, so that what is left can be divided anew while threads work.
    pub in_pieces: bool,
    /// Where an item is a few rows, all columns of them: how many, but for the last.
    pub rows_of_item: Option<i64>,
}

impl Division {
    /// Independent items.
    pub fn of(items: i64) -> Division {
        Division { preparation: 0, items, in_pieces: true, rows_of_item: None }
    }
}

impl Kernel {
    /// The operands that its preparation reads, if it has one.
    pub fn prepared_operands(&self) -> Vec<usize> {
        if let Body::Contraction(body) = &self.body { body.prepared_operands() } else { Vec::new() }
    }

    /// For these sizes. Where threads can be given memory to share, `sharing` is what an item of rows then has of them; a launch is given some if it has a
    /// preparation, and else must not be.
    pub fn division(&self, sizes: &[i64], sharing: Option<i64>) -> Division {
        if let Body::Contraction(body) = &self.body {
            return body.division(sizes, sharing);
        }
        let rows_of_item = matches!(self.body, Body::Rows(_)).then_some(1);
        Division { rows_of_item, ..Division::of(self.extent(sizes)) }
    }
}
