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
}
