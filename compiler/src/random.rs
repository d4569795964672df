//! Random numbers as a pure function of a key and a counter: the same on every machine, in whatever order they are asked for.
//!
//! Philox4x32-10: a bijection of 128-bit counters per 64-bit key whose outputs pass BigCrush.
//! Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; the same as in cuRAND, JAX and PyTorch.

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// The block of random bits that belongs to `counter` under `key`.
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut block = counter;
    let mut key = key;
    for _ in 0..10 {
        let [a, b] = [wide(MULTIPLIERS[0], block[0]), wide(MULTIPLIERS[1], block[2])];
        block = [b.high ^ block[1] ^ key[0], b.low, a.high ^ block[3] ^ key[1], a.low];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    block
}

/// Element `index` of `Op::Uniform`: the upper 24 bits of the first word of the block (index low, index high, stream, 0)
/// under the key `seed`, as a fraction in [0, 1). It is exact in f32, so every device draws the same number.
pub fn uniform(seed: [i32; 2], stream: u32, index: u64) -> f64 {
    let [word, ..] = philox([index as u32, (index >> 32) as u32, stream, 0], seed.map(|s| s as u32));
    f64::from(word >> 8) / f64::from(1 << 24)
}

struct Product {
    high: u32,
    low: u32,
}

fn wide(a: u32, b: u32) -> Product {
    let product = u64::from(a) * u64::from(b);
    Product { high: (product >> 32) as u32, low: product as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers published with the authors' Random123 library.
    #[test]
    fn known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
        );
    }

    #[test]
    fn uniform_is_the_first_word_of_its_block() {
        let [word, ..] = philox([7, 1, 3, 0], [u32::MAX, 5]);
        let drawn = uniform([-1, 5], 3, 1 << 32 | 7);
        assert_eq!(drawn, f64::from(word >> 8) * 2f64.powi(-24));
        assert_eq!(f64::from(drawn as f32), drawn);
    }

    /// Mean and variance within five standard errors, on streams that differ in key or number.
    #[test]
    fn uniform_has_the_moments_of_its_distribution() {
        let n = 50_000;
        for (seed, stream) in [([0, 0], 0), ([0, 0], 1), ([1, 0], 0)] {
            let mean = |f: &dyn Fn(f64) -> f64| (0..n).map(|i| f(uniform(seed, stream, i))).sum::<f64>() / n as f64;
            assert!((mean(&|u| u) - 0.5).abs() < 5.0 * (1.0 / 12.0 / n as f64).sqrt());
            assert!((mean(&|u| u * u) - 1.0 / 3.0).abs() < 5.0 * (4.0 / 45.0 / n as f64).sqrt());
        }
    }
}
