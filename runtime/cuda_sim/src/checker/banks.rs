//! Bank conflicts. Shared memory has 32 banks of four bytes, which serve one word each at a time: a warp's access is served in passes, and
//! those beyond what its size asks for are conflicts. Words that several lanes want are served once.

use super::clocks::LANES;
use std::collections::BTreeMap;

const BANKS: usize = 32;
const WORD: usize = 4;

/// What a lane accesses.
#[derive(Clone, Copy, Debug)]
pub struct LaneAccess {
    pub lane: usize,
    pub address: usize,
}

/// The passes beyond those that `bytes` a lane ask for. A warp's access of eight bytes a lane is served by halves, one of sixteen by quarters.
pub fn conflicts(accesses: &[LaneAccess], bytes: usize) -> u64 {
    let together = (BANKS * WORD / bytes.max(WORD)).clamp(1, LANES);
    let phase = |p: usize| {
        let mut words: Vec<usize> = accesses
            .iter()
            .filter(|access| access.lane / together == p)
            .flat_map(|access| access.address / WORD..(access.address + bytes).div_ceil(WORD))
            .collect();
        words.sort_unstable();
        words.dedup();
        let mut served = [0u64; BANKS];
        words.iter().for_each(|word| served[word % BANKS] += 1);
        served.into_iter().max().unwrap_or(0).saturating_sub(1)
    };
    (0..LANES.div_ceil(together)).map(phase).sum()
}

/// The conflicts of one instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// How often a warp came to it.
    pub accesses: u64,
    /// Passes beyond those that the accesses ask for.
    pub passes: u64,
}

/// Counts the conflicts of a launch. Lanes come to an instruction one after the other: what they access is collected until their warp
/// synchronises, and put together then.
#[derive(Default)]
pub struct Banks {
    /// Of each thread of the block: instruction, address, bytes.
    recent: Vec<Vec<(u32, usize, usize)>>,
    pub counts: BTreeMap<u32, Conflicts>,
}

impl Banks {
    pub fn start_block(&mut self, threads: usize) {
        self.recent = vec![Vec::new(); threads];
    }

    pub fn access(&mut self, thread: usize, site: u32, address: usize, bytes: usize) {
        self.recent[thread].push((site, address, bytes));
    }

    pub fn add(&mut self, site: u32, passes: u64) {
        let counts = self.counts.entry(site).or_default();
        counts.accesses += 1;
        counts.passes += passes;
    }

    /// The lanes of a warp have synchronised: the n-th time that each came to an instruction was the same time.
    pub fn settle(&mut self, warp: usize) {
        let threads = warp * LANES..((warp + 1) * LANES).min(self.recent.len());
        let mut together: BTreeMap<(u32, usize), (usize, Vec<LaneAccess>)> = BTreeMap::new();
        for (lane, recent) in self.recent[threads].iter_mut().enumerate() {
            let mut times: BTreeMap<u32, usize> = BTreeMap::new();
            for (site, address, bytes) in recent.drain(..) {
                let time = times.entry(site).or_default();
                let (_, accesses) = together.entry((site, *time)).or_insert_with(|| (bytes, Vec::new()));
                accesses.push(LaneAccess { lane, address });
                *time += 1;
            }
        }
        for ((site, _), (bytes, accesses)) in together {
            self.add(site, conflicts(&accesses, bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: usize, address: impl Fn(usize) -> usize) -> u64 {
        let accesses: Vec<_> = (0..32).map(|lane| LaneAccess { lane, address: address(lane) }).collect();
        conflicts(&accesses, bytes)
    }

    #[test]
    fn passes() {
        assert_eq!(of(4, |lane| 4 * lane), 0);
        assert_eq!(of(4, |_| 64), 0, "one word for all");
        assert_eq!(of(2, |lane| 2 * lane), 0, "two lanes want the same word");
        assert_eq!(of(4, |lane| 8 * lane), 1);
        assert_eq!(of(4, |lane| 128 * lane), 31, "a column of a matrix");
        assert_eq!(of(4, |lane| 132 * lane), 0, "the same, padded");
        assert_eq!(of(8, |lane| 8 * lane), 0, "two halves");
        assert_eq!(of(16, |lane| 16 * lane), 0, "four quarters");
        assert_eq!(of(16, |lane| 128 * lane), 4 * 7);
    }

    /// One lane takes a branch that the others do not: its accesses are not theirs.
    #[test]
    fn lanes_need_not_do_the_same() {
        let mut banks = Banks::default();
        banks.start_block(32);
        for thread in 0..32 {
            if thread == 5 {
                banks.access(thread, 9, 0, 4);
            }
            banks.access(thread, 3, 256 * thread, 4);
        }
        banks.settle(0);
        let counts: Vec<_> = banks.counts.iter().map(|(site, c)| (*site, c.accesses, c.passes)).collect();
        assert_eq!(counts, [(3, 1, 31), (9, 1, 0)]);
    }
}
