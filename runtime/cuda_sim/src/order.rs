//! In what order threads run: drawn from a seed.

use crate::checker::LANES;
use tfc_compiler::random::philox;

/// Random bits, a few at a time.
pub struct Random {
    key: [u32; 2],
    stream: u64,
    drawn: u64,
    bits: u64,
    left: u32,
}

impl Random {
    /// Streams of one seed have nothing to do with each other.
    pub fn new(seed: u64, stream: u64) -> Random {
        Random { key: [seed as u32, (seed >> 32) as u32], stream, drawn: 0, bits: 0, left: 0 }
    }

    fn take(&mut self, bits: u32) -> u64 {
        if self.left < bits {
            let (drawn, stream) = (self.drawn, self.stream);
            let counter = [drawn as u32, (drawn >> 32) as u32, stream as u32, (stream >> 32) as u32];
            let [low, high, ..] = philox(counter, self.key).map(u64::from);
            self.bits = low | high << 32;
            self.drawn += 1;
            self.left = u64::BITS;
        }
        let taken = self.bits & ((1 << bits) - 1);
        self.bits >>= bits;
        self.left -= bits;
        taken
    }

    /// 0..n, in some order.
    pub fn shuffled(mut self, n: u64) -> Vec<u64> {
        let mut all: Vec<u64> = (0..n).collect();
        for last in (1..all.len()).rev() {
            let chosen = (self.take(32) * (last as u64 + 1)) >> 32;
            all.swap(last, chosen as usize);
        }
        all
    }
}

/// Whose turn it is.
pub struct Order {
    random: Random,
    /// Whether threads are interrupted where they need not wait.
    interrupts: bool,
}

impl Order {
    pub fn new(random: Random, interrupts: bool) -> Order {
        Order { random, interrupts }
    }

    /// One of 0..n, for an n of up to 32.
    pub fn below(&mut self, n: usize) -> usize {
        (self.random.take(16) as usize * n) >> 16
    }

    /// All lanes, from one on and with a stride.
    pub fn lanes(&mut self) -> impl Iterator<Item = usize> + use<> {
        let (first, stride) = (self.random.take(5) as usize, 2 * self.random.take(4) as usize + 1);
        (0..LANES).map(move |i| (first + i * stride) % LANES)
    }

    /// Whether another thread's turn comes now: once in sixteen times.
    pub fn interrupts(&mut self) -> bool {
        self.interrupts && self.random.take(4) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_has_its_turn() {
        let mut order = Order::new(Random::new(3, 0), true);
        let mut orders = Vec::new();
        for _ in 0..50 {
            let lanes: Vec<usize> = order.lanes().collect();
            assert!((0..LANES).all(|lane| lanes.contains(&lane)));
            assert!(order.below(5) < 5);
            orders.push(lanes);
        }
        orders.sort();
        orders.dedup();
        assert!(orders.len() > 30);
    }
    #[test]
    fn each_block_has_its_turn() {
        for n in [0, 1, 2, 100] {
            let mut blocks = Random::new(7, 0).shuffled(n);
            assert!(n < 100 || blocks != (0..n).collect::<Vec<_>>());
            blocks.sort_unstable();
            assert_eq!(blocks, (0..n).collect::<Vec<_>>());
        }
    }
}
