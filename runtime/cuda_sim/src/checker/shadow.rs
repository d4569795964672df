//! What has happened to shared memory: for every two bytes, who wrote them last, who has read them since, and whether a copy is under way.
//!
//! Two bytes, because no element of ours is smaller: single bytes that neighbouring threads write would be taken for a race.

use super::clocks::{Clocks, LANES, Moment};
use std::ops::Range;

const GRANULE: usize = 2;

/// What is wrong with an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing was written there.
    Uninitialized,
    /// This thread started a copy to there that it has not awaited.
    Unfinished { by: usize },
    /// This thread wrote there, and nothing orders the two.
    WrittenBy(usize),
    /// This thread read from there, and nothing orders the two.
    ReadBy(usize),
    /// Several lanes of this thread's warp read from there, and nothing orders them and the write.
    ReadByWarpOf(usize),
}

#[derive(Clone, Copy, Default)]
struct Cell {
    /// The block that the rest is of.
    block: u32,
    written: Option<Moment>,
    copied_by: Option<u16>,
}

/// Of one warp.
#[derive(Clone, Copy, Default)]
struct Read {
    /// The block that the rest is of.
    block: u32,
    moment: Moment,
    by_several: bool,
}

/// Of one variable in shared memory. It keeps what was of earlier blocks and knows it as such: to clear it for each would take most of the time.
#[derive(Default)]
pub struct Shadow {
    cells: Vec<Cell>,
    /// For each cell, the last read of each warp.
    reads: Vec<Read>,
    warps: usize,
    block: u32,
}

impl Shadow {
    /// A block begins: nothing has happened in it. No two blocks have the same number, and none has 0.
    pub fn start_block(&mut self, block: u32, bytes: usize, warps: usize) {
        let cells = bytes.div_ceil(GRANULE);
        self.block = block;
        self.warps = warps;
        if self.cells.len() < cells {
            self.cells.resize(cells, Cell::default());
        }
        if self.reads.len() < cells * warps {
            self.reads.resize(cells * warps, Read::default());
        }
    }

    pub fn read(&mut self, bytes: Range<usize>, thread: usize, clocks: &Clocks) -> Option<Flaw> {
        let mut flaw = None;
        for cell in granules(bytes) {
            flaw = flaw.or(self.flaw_of_read(cell, thread, clocks));
            let read = &mut self.reads[cell * self.warps + thread / LANES];
            let (block, moment) = (self.block, clocks.now(thread));
            let now = read.block == block && read.moment.time == moment.time;
            let by_several = now && (read.by_several || read.moment.thread != moment.thread);
            *read = Read { block, moment, by_several };
        }
        flaw
    }

    pub fn write(&mut self, bytes: Range<usize>, thread: usize, clocks: &Clocks) -> Option<Flaw> {
        let mut flaw = None;
        for cell in granules(bytes) {
            flaw = flaw.or(self.flaw_of_write(cell, thread, clocks));
            self.cell(cell).written = Some(clocks.now(thread));
        }
        flaw
    }

    /// An asynchronous copy to there begins. It may write at any time from now on.
    pub fn start_copy(&mut self, bytes: Range<usize>, thread: usize, clocks: &Clocks) -> Option<Flaw> {
        let mut flaw = None;
        for cell in granules(bytes) {
            flaw = flaw.or(self.flaw_of_write(cell, thread, clocks));
            self.cell(cell).copied_by = Some(thread as u16);
        }
        flaw
    }

    /// The thread that began it has awaited it: it is as if it wrote now.
    pub fn finish_copy(&mut self, bytes: Range<usize>, thread: usize, clocks: &Clocks) {
        for cell in granules(bytes) {
            *self.cell(cell) = Cell { block: self.block, written: Some(clocks.now(thread)), copied_by: None };
        }
    }

    /// As it is in this block.
    fn cell(&mut self, cell: usize) -> &mut Cell {
        let cell = &mut self.cells[cell];
        if cell.block != self.block {
            *cell = Cell { block: self.block, ..Cell::default() };
        }
        cell
    }

    fn flaw_of_read(&mut self, cell: usize, thread: usize, clocks: &Clocks) -> Option<Flaw> {
        let cell = *self.cell(cell);
        if let Some(by) = cell.copied_by {
            return Some(Flaw::Unfinished { by: usize::from(by) });
        }
        let Some(written) = cell.written else { return Some(Flaw::Uninitialized) };
        (!clocks.before(written, thread)).then_some(Flaw::WrittenBy(usize::from(written.thread)))
    }

    fn flaw_of_write(&mut self, cell: usize, thread: usize, clocks: &Clocks) -> Option<Flaw> {
        let Cell { written, copied_by, .. } = *self.cell(cell);
        if let Some(by) = copied_by {
            return Some(Flaw::Unfinished { by: usize::from(by) });
        }
        if let Some(written) = written.filter(|written| !clocks.before(*written, thread)) {
            return Some(Flaw::WrittenBy(usize::from(written.thread)));
        }
        let reads = &self.reads[cell * self.warps..(cell + 1) * self.warps];
        reads.iter().filter(|read| read.block == self.block).find_map(|read| {
            let by = usize::from(read.moment.thread);
            // One of several lanes may be the writer itself; the others are not ordered with it.
            let moment = if read.by_several && by == thread {
                Moment { thread: (by ^ 1) as u16, ..read.moment }
            } else {
                read.moment
            };
            let flaw = if read.by_several { Flaw::ReadByWarpOf(by) } else { Flaw::ReadBy(by) };
            (!clocks.before(moment, thread)).then_some(flaw)
        })
    }
}

fn granules(bytes: Range<usize>) -> Range<usize> {
    bytes.start / GRANULE..bytes.end.div_ceil(GRANULE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shadow(warps: usize) -> Shadow {
        let mut shadow = Shadow::default();
        shadow.start_block(1, 64, warps);
        shadow
    }

    #[test]
    fn blocks_begin_with_nothing() {
        let clocks = Clocks::new(1);
        let mut shadow = shadow(1);
        shadow.write(0..4, 3, &clocks);
        shadow.read(0..4, 3, &clocks);
        shadow.start_copy(8..12, 3, &clocks);
        shadow.start_block(2, 64, 1);
        assert_eq!(shadow.read(0..4, 4, &clocks), Some(Flaw::Uninitialized));
        assert_eq!(shadow.write(8..12, 4, &clocks), None);
    }

    #[test]
    fn a_barrier_between_write_and_read() {
        let mut clocks = Clocks::new(2);
        let mut shadow = shadow(2);
        assert_eq!(shadow.read(0..4, 3, &clocks), Some(Flaw::Uninitialized));
        assert_eq!(shadow.write(8..12, 3, &clocks), None);
        assert_eq!(shadow.read(8..12, 3, &clocks), None);
        assert_eq!(shadow.read(8..10, 4, &clocks), Some(Flaw::WrittenBy(3)));
        assert_eq!(shadow.read(10..14, 33, &clocks), Some(Flaw::WrittenBy(3)));
        clocks.synchronise(&[0, 1]);
        assert_eq!(shadow.read(8..12, 33, &clocks), None);
        assert_eq!(shadow.read(8..14, 34, &clocks), Some(Flaw::Uninitialized));
    }

    #[test]
    fn a_barrier_between_read_and_write() {
        let mut clocks = Clocks::new(2);
        let mut shadow = shadow(2);
        shadow.write(0..4, 0, &clocks);
        clocks.synchronise(&[0, 1]);
        shadow.read(0..4, 1, &clocks);
        shadow.read(0..4, 35, &clocks);
        assert_eq!(shadow.write(0..4, 1, &clocks), Some(Flaw::ReadBy(35)));
        clocks.synchronise(&[0, 1]);
        assert_eq!(shadow.write(0..4, 2, &clocks), None);
    }

    /// The last of several readers writes: the others are not ordered with it.
    #[test]
    fn several_lanes_read() {
        let mut clocks = Clocks::new(1);
        let mut shadow = shadow(1);
        shadow.write(0..4, 0, &clocks);
        clocks.synchronise(&[0]);
        shadow.read(0..4, 1, &clocks);
        shadow.read(0..4, 2, &clocks);
        assert_eq!(shadow.write(0..4, 2, &clocks), Some(Flaw::ReadByWarpOf(2)));
    }

    #[test]
    fn a_copy_is_under_way_until_it_is_awaited() {
        let mut clocks = Clocks::new(2);
        let mut shadow = shadow(2);
        assert_eq!(shadow.start_copy(16..32, 7, &clocks), None);
        clocks.synchronise(&[0, 1]);
        assert_eq!(shadow.read(30..34, 7, &clocks), Some(Flaw::Unfinished { by: 7 }));
        assert_eq!(shadow.start_copy(16..32, 8, &clocks), Some(Flaw::Unfinished { by: 7 }));
        shadow.finish_copy(16..32, 7, &clocks);
        assert_eq!(shadow.read(16..20, 7, &clocks), None);
        assert_eq!(shadow.read(16..20, 40, &clocks), Some(Flaw::WrittenBy(7)));
        clocks.synchronise(&[0, 1]);
        assert_eq!(shadow.read(16..20, 40, &clocks), None);
        assert_eq!(shadow.start_copy(16..32, 7, &clocks), Some(Flaw::ReadBy(40)));
    }
}
