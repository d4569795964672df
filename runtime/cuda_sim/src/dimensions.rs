//! Threads and blocks by their number and by their coordinates.

use crate::finding::Who;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions {
    /// `%ntid`
    pub block: [u32; 3],
    /// `%nctaid`
    pub grid: [u32; 3],
}

impl Dimensions {
    pub fn threads(&self) -> u64 {
        self.block.iter().map(|n| u64::from(*n)).product()
    }

    pub fn blocks(&self) -> u64 {
        self.grid.iter().map(|n| u64::from(*n)).product()
    }

    pub fn thread(&self, number: usize) -> [u32; 3] {
        coordinates(number as u64, self.block)
    }

    pub fn who(&self, block: u64, thread: usize) -> Who {
        Who { block: coordinates(block, self.grid), thread: self.thread(thread) }
    }
}

/// x is the fastest.
fn coordinates(number: u64, [x, y, _]: [u32; 3]) -> [u32; 3] {
    let (x, y) = (u64::from(x), u64::from(y));
    [number % x, number / x % y, number / x / y].map(|c| c as u32)
}
