//! A random permutation of 0..n that is computed element by element: constant memory for any n.

use super::Stream;

/// A Feistel network over the smallest power of four that holds n, walked until it falls inside (Black and Rogaway,
/// "Ciphers with arbitrary finite domains", 2002).
#[derive(Debug, Clone, Copy)]
pub struct Permutation {
    n: u64,
    /// Bits in each half of an index.
    half: u32,
    keys: [u64; ROUNDS],
}

/// Four rounds make a pseudorandom permutation (Luby and Rackoff, 1988); more, because the halves can be a bit or two wide.
const ROUNDS: usize = 8;

impl Permutation {
    pub fn new(n: u64, stream: &Stream) -> Self {
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        Permutation { n, half: bits.div_ceil(2).max(1), keys: std::array::from_fn(|round| stream.bits(round as u64)) }
    }

    /// Where `index` < n goes.
    pub fn at(&self, index: u64) -> u64 {
        debug_assert!(index < self.n);
        // Fewer than four steps on average: the domain is less than four times n.
        let mut place = self.shuffle(index);
        while place >= self.n {
            place = self.shuffle(place);
        }
        place
    }

    fn shuffle(&self, index: u64) -> u64 {
        let mask = (1 << self.half) - 1;
        let [mut left, mut right] = [index >> self.half, index & mask];
        for key in self.keys {
            [left, right] = [right, left ^ mix(right ^ key) & mask];
        }
        left << self.half | right
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014); its upper bits are the better ones.
fn mix(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    (x ^ x >> 31) >> 32
}

#[cfg(test)]
mod tests {
    use super::super::Purpose;
    use super::*;
    use proptest::prelude::*;

    fn permutation(n: u64, epoch: u64) -> Permutation {
        Permutation::new(n, &Stream::new(7, Purpose::DataOrder, "", epoch))
    }

    proptest! {
        #[test]
        fn reaches_every_place_once(n in 1u64..3000, epoch in any::<u64>()) {
            let permutation = permutation(n, epoch);
            let mut places: Vec<u64> = (0..n).map(|index| permutation.at(index)).collect();
            places.sort_unstable();
            prop_assert_eq!(places, (0..n).collect::<Vec<_>>());
        }
    }

    /// Every one of the 24 orders of four things is about equally frequent: χ² with 23 degrees of freedom is below 49.7
    /// with probability 0.999.
    #[test]
    fn orders_are_equally_likely() {
        let mut seen = std::collections::BTreeMap::new();
        for epoch in 0..24_000 {
            let permutation = permutation(4, epoch);
            *seen.entry([0, 1, 2, 3].map(|index| permutation.at(index))).or_insert(0.0) += 1.0;
        }
        assert_eq!(seen.len(), 24);
        let chi_squared: f64 = seen.values().map(|count: &f64| (count - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi_squared < 49.7, "χ² = {chi_squared}");
    }

    #[test]
    fn works_far_beyond_what_fits_in_memory() {
        let permutation = permutation(1 << 40, 0);
        assert!((0..100).all(|index| permutation.at(index) < 1 << 40));
    }
}
