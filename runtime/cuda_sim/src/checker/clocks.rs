//! What happens before what in a block: a vector clock for each warp.
//!
//! A warp's own time advances when it synchronises: its lanes are ordered between two of its times, not within one. Synchronisation
//! of several warps also tells each the times of the others (Mattern, "Virtual time and global states of distributed systems", 1989).

pub const LANES: usize = 32;

/// When a thread did something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    pub thread: u16,
    pub time: u32,
}

pub struct Clocks {
    /// `[w][v]`: the last time of warp v that warp w has synchronised with.
    known: Vec<Vec<u32>>,
}

impl Clocks {
    pub fn new(warps: usize) -> Clocks {
        let known = |w| (0..warps).map(|v| u32::from(v == w)).collect();
        Clocks { known: (0..warps).map(known).collect() }
    }

    pub fn warps(&self) -> usize {
        self.known.len()
    }

    /// The present of a thread.
    pub fn now(&self, thread: usize) -> Moment {
        let warp = thread / LANES;
        Moment { thread: thread as u16, time: self.known[warp][warp] }
    }

    /// Whether `moment` lies before the present of `thread`.
    pub fn before(&self, moment: Moment, thread: usize) -> bool {
        let (warp, of) = (thread / LANES, usize::from(moment.thread) / LANES);
        let known = self.known[warp][of];
        usize::from(moment.thread) == thread || if warp == of { known > moment.time } else { known >= moment.time }
    }

    /// These warps, in ascending order, have waited for each other.
    pub fn synchronise(&mut self, warps: &[usize]) {
        let latest = |v: usize| warps.iter().map(|w| self.known[*w][v]).max().unwrap_or(0);
        let joined: Vec<u32> = (0..self.known.len()).map(latest).collect();
        for warp in warps {
            self.known[*warp].clone_from(&joined);
            self.known[*warp][*warp] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_barrier_of_the_block_orders_all() {
        let mut clocks = Clocks::new(3);
        let (own, lane, warp) = (clocks.now(5), clocks.now(6), clocks.now(40));
        assert!(clocks.before(own, 5) && !clocks.before(lane, 5) && !clocks.before(warp, 5));
        clocks.synchronise(&[0, 1, 2]);
        assert!(clocks.before(lane, 5) && clocks.before(warp, 5) && clocks.before(own, 95));
        let after = clocks.now(40);
        assert!(!clocks.before(after, 5) && clocks.before(after, 40));
    }

    #[test]
    fn a_barrier_of_some_warps_orders_these() {
        let mut clocks = Clocks::new(3);
        let [first, second, third] = [0, 32, 64].map(|thread| clocks.now(thread));
        clocks.synchronise(&[0, 1]);
        assert!(clocks.before(first, 33) && clocks.before(second, 1));
        assert!(!clocks.before(first, 64) && !clocks.before(third, 0));
        // What the first did reaches the third through the second.
        clocks.synchronise(&[1, 2]);
        assert!(clocks.before(first, 64));
        clocks.synchronise(&[0]);
        assert!(!clocks.before(clocks.now(1), 0));
    }
}
