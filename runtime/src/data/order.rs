//! In which order the items of a data set are drawn.

use crate::random::{Permutation, Purpose, Stream};

/// The items of an epoch, each once, in the order …
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// … of a permutation that is a function of seed and epoch: for training.
    Shuffled { seed: u64 },
    /// … they have: for validation.
    InOrder,
}

/// What is drawn at a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Draw {
    pub epoch: u64,
    pub item: u64,
}

impl Order {
    /// The draw after `cursor` others from `n` items.
    pub(super) fn draw(self, cursor: u64, n: u64) -> Draw {
        let [epoch, index] = [cursor / n, cursor % n];
        let item = match self {
            Order::Shuffled { seed } => {
                Permutation::new(n, &Stream::new(seed, Purpose::DataOrder, "order", epoch)).at(index)
            }
            Order::InOrder => index,
        };
        Draw { epoch, item }
    }

    /// A number in 0..n that is another one in each epoch when shuffled, and 0 in order.
    pub(super) fn shift(self, epoch: u64, n: u64) -> u64 {
        match self {
            Order::Shuffled { seed } => Stream::new(seed, Purpose::DataOrder, "shift", epoch).below(0, n),
            Order::InOrder => 0,
        }
    }
}
