//! Random numbers as a function of seed, stream and index: `tfc_compiler::random` on a register of consecutive indices.

use crate::mlir::{Index, Ints, Pointer, Vector};

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: u32 = 10;

/// The numbers of `element` and those after it, under the two i32 at `seed`; every lane holds the number of the stream.
pub fn uniform<'f>(seed: Pointer<'f>, stream: Vector<'f>, element: Index<'f>) -> Vector<'f> {
    let f = seed.function();
    let key = [0, 1].map(|i| seed.load_int(f.index(i)).splat());
    let low = element.counting();
    // The lower half wraps around within a register once in 2³² elements.
    let unsigned = |x: Ints<'f>| x.exclusive_or(f.ints(i32::MIN));
    let wrapped = unsigned(low).less(unsigned(element.to_int32().splat())).select(f.ints(1), f.ints(0));
    let high = element.upper_half().splat() + wrapped;
    let word = philox([low, high, stream.truncate(), f.ints(0)], key);
    word.shift_right_unsigned(8).to_float() * 2f32.powi(-24)
}

/// The first word of the block of Philox4x32-10.
fn philox<'f>(counter: [Ints<'f>; 4], key: [Ints<'f>; 2]) -> Ints<'f> {
    let f = counter[0].function();
    (0..ROUNDS).fold(counter, |block, round| {
        let key = [0, 1].map(|i| key[i] + WEYL[i].wrapping_mul(round) as i32);
        let (a_low, a_high) = block[0].wide_product(f.ints(MULTIPLIERS[0] as i32));
        let (b_low, b_high) = block[2].wide_product(f.ints(MULTIPLIERS[1] as i32));
        [
            b_high.exclusive_or(block[1]).exclusive_or(key[0]),
            b_low,
            a_high.exclusive_or(block[3]).exclusive_or(key[1]),
            a_low,
        ]
    })[0]
}
