//! What a launch does to the memory of its buffers: which block and thread wrote two bytes last, and which read them. Blocks of one launch
//! are in no order, so two of them must not touch the same bytes if one writes.
//!
//! Of the readers in a block the last is kept: an earlier one that races with a later write may go unseen, nothing else.

use super::clocks::{Clocks, Moment};
use std::collections::HashMap;

const GRANULE: usize = 2;
/// Granules in a page.
const PAGE: usize = 512;

/// The other side of a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other {
    /// Its number in the grid.
    pub block: u32,
    pub thread: usize,
    pub wrote: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Trace {
    block: u32,
    moment: Moment,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    written: Option<Trace>,
    read: Option<Trace>,
    /// Of another block than `read`.
    read_elsewhere: Option<Trace>,
}

/// Keyed by addresses of the host: two arguments may be the same buffer.
#[derive(Default)]
pub struct Traces {
    pages: HashMap<usize, Box<[Cell; PAGE]>>,
}

impl Traces {
    /// Notes an access to `bytes` at `host` by a thread of the block whose clocks these are; with which other it races.
    pub fn access(
        &mut self,
        host: usize,
        bytes: usize,
        writes: bool,
        block: u32,
        thread: usize,
        clocks: &Clocks,
    ) -> Option<Other> {
        let mut race = None;
        for granule in host / GRANULE..(host + bytes).div_ceil(GRANULE) {
            let page = self.pages.entry(granule / PAGE).or_insert_with(|| Box::new([Cell::default(); PAGE]));
            let cell = &mut page[granule % PAGE];
            let unordered = |trace: &Trace| trace.block != block || !clocks.before(trace.moment, thread);
            let found = |trace: Option<Trace>, wrote| {
                let trace = trace.filter(unordered)?;
                Some(Other { block: trace.block, thread: usize::from(trace.moment.thread), wrote })
            };
            race = race.or(found(cell.written, true));
            let now = Trace { block, moment: clocks.now(thread) };
            if writes {
                race = race.or(found(cell.read, false)).or(found(cell.read_elsewhere, false));
                cell.written = Some(now);
            } else {
                if let Some(read) = cell.read.filter(|read| read.block != block) {
                    cell.read_elsewhere = Some(read);
                }
                cell.read = Some(now);
            }
        }
        race
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_in_no_order() {
        let (clocks, mut traces) = (Clocks::new(1), Traces::default());
        let mut access = |at, writes, block, thread| traces.access(at, 4, writes, block, thread, &clocks);
        assert_eq!(access(1000, false, 0, 0), None);
        assert_eq!(access(1000, false, 1, 0), None);
        assert_eq!(access(1004, true, 1, 0), None);
        assert_eq!(access(1004, false, 1, 0), None);
        assert_eq!(access(1000, true, 1, 0), Some(Other { block: 0, thread: 0, wrote: false }));
        assert_eq!(access(1006, false, 2, 9), Some(Other { block: 1, thread: 0, wrote: true }));
    }

    #[test]
    fn threads_are_ordered_by_barriers() {
        let (mut clocks, mut traces) = (Clocks::new(2), Traces::default());
        assert_eq!(traces.access(1000, 4, true, 0, 0, &clocks), None);
        assert_eq!(traces.access(1000, 4, false, 0, 1, &clocks), Some(Other { block: 0, thread: 0, wrote: true }));
        clocks.synchronise(&[0, 1]);
        assert_eq!(traces.access(1000, 4, false, 0, 40, &clocks), None);
        assert_eq!(traces.access(1000, 4, true, 0, 0, &clocks), Some(Other { block: 0, thread: 40, wrote: false }));
    }
}
