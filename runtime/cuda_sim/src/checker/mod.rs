//! What the checker keeps while a launch runs: of memory, of time, of banks.

mod banks;
mod clocks;
mod shadow;
mod traces;

pub use banks::{Conflicts, LaneAccess, conflicts};
pub use clocks::LANES;
pub use shadow::Flaw;
pub use traces::Other;

use crate::finding::{Object, Place};
use crate::memory::{Located, Memory};
use banks::Banks;
use clocks::Clocks;
use shadow::Shadow;
use std::collections::BTreeMap;
use std::ops::Range;
use traces::Traces;

pub struct Checker {
    clocks: Clocks,
    shadows: Vec<Shadow>,
    traces: Traces,
    banks: Banks,
    /// The number in the grid of the block that runs.
    block: u32,
    /// How many blocks have run, in all launches.
    blocks: u32,
}

/// What an access is found guilty of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guilt {
    InShared(Flaw),
    InBuffer(Other),
}

impl Checker {
    pub fn new() -> Checker {
        Checker {
            clocks: Clocks::new(0),
            shadows: Vec::new(),
            traces: Traces::default(),
            banks: Banks::default(),
            block: 0,
            blocks: 0,
        }
    }

    /// What was found of memory and banks in an earlier launch no longer counts.
    pub fn start_launch(&mut self) {
        self.traces = Traces::default();
        self.banks = Banks::default();
    }

    /// A block begins: nothing has been written to its shared memory.
    pub fn start_block(&mut self, block: u32, threads: usize, memory: &Memory) {
        let warps = threads.div_ceil(LANES);
        self.block = block;
        self.clocks = Clocks::new(warps);
        self.blocks += 1;
        for (k, bytes) in memory.shared_bytes().enumerate() {
            if self.shadows.len() == k {
                self.shadows.push(Shadow::default());
            }
            self.shadows[k].start_block(self.blocks, bytes, warps);
        }
        self.banks.start_block(threads);
    }

    pub fn end_block(&mut self) {
        (0..self.clocks.warps()).for_each(|warp| self.banks.settle(warp));
    }

    /// These warps have waited for each other.
    pub fn synchronise(&mut self, warps: &[usize]) {
        self.clocks.synchronise(warps);
        warps.iter().for_each(|warp| self.banks.settle(*warp));
    }

    /// A load or a store of a thread.
    pub fn access(&mut self, located: &Located, bytes: usize, writes: bool, thread: usize) -> Option<Guilt> {
        match located.place?.object {
            Object::Shared(k) => {
                let (shadow, range) = (&mut self.shadows[k], range_of(located.place?, bytes));
                let flaw = if writes {
                    shadow.write(range, thread, &self.clocks)
                } else {
                    shadow.read(range, thread, &self.clocks)
                };
                flaw.map(Guilt::InShared)
            }
            Object::Argument(_) => {
                let other = self.traces.access(located.host, bytes, writes, self.block, thread, &self.clocks);
                other.map(Guilt::InBuffer)
            }
        }
    }

    pub fn start_copy(&mut self, to: Place, bytes: usize, thread: usize) -> Option<Guilt> {
        let Object::Shared(k) = to.object else { return None };
        self.shadows[k].start_copy(range_of(to, bytes), thread, &self.clocks).map(Guilt::InShared)
    }

    pub fn finish_copy(&mut self, to: Place, bytes: usize, thread: usize) {
        if let Object::Shared(k) = to.object {
            self.shadows[k].finish_copy(range_of(to, bytes), thread, &self.clocks);
        }
    }

    /// A load or a store of shared memory, whose bank counts. One that is aligned to less than its size is made of several.
    pub fn count_banks(&mut self, thread: usize, site: u32, address: usize, bytes: usize, alignment: usize) {
        let piece = bytes.min(alignment);
        (address..address + bytes).step_by(piece.max(1)).for_each(|at| self.banks.access(thread, site, at, piece));
    }

    /// Passes that an operation of a whole warp takes beyond those it must.
    pub fn add_conflicts(&mut self, site: u32, passes: u64) {
        self.banks.add(site, passes);
    }

    pub fn conflicts(&self) -> &BTreeMap<u32, Conflicts> {
        &self.banks.counts
    }
}

fn range_of(place: Place, bytes: usize) -> Range<usize> {
    let start = usize::try_from(place.offset).expect("bug in tfc: what was located lies inside");
    start..start + bytes
}
