//! Random numbers as a function of seed, stream and index: `tfc_compiler::random` on consecutive indices, one or a register of them.

use crate::mlir::{Bits, Float, Index, Number, Pointer, Value};

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: u32 = 10;

/// The numbers of `element` and those after it, under the two i32 at `seed`; every lane holds the number of the stream.
pub fn uniform<'f, K: Float>(seed: Pointer<'f>, stream: Value<'f, K>, element: Index<'f>) -> Value<'f, K> {
    let f = seed.function();
    let int = |x| K::Bits::constant(f, x);
    let key = [0, 1].map(|i| K::Bits::splat(seed.load_int(f.index(i))));
    let low = K::Bits::counting(element);
    // The lower half wraps around within a register once in 2³² elements.
    let unsigned = |x: Value<'f, K::Bits>| x.exclusive_or(int(i32::MIN));
    let wrapped = unsigned(low).less(unsigned(K::Bits::splat(element.to_int32()))).select(int(1), int(0));
    let high = K::Bits::splat(element.upper_half()) + wrapped;
    let word = philox([low, high, stream.truncate(), int(0)], key);
    word.shift_right_unsigned(8).to_float() * 2f32.powi(-24)
}

/// The first word of the block of Philox4x32-10.
fn philox<'f, B: Bits>(counter: [Value<'f, B>; 4], key: [Value<'f, B>; 2]) -> Value<'f, B> {
    (0..ROUNDS).fold(counter, |block, round| {
        let key = [0, 1].map(|i| key[i] + WEYL[i].wrapping_mul(round) as i32);
        let (a_low, a_high) = block[0].wide_product(counter[0].constant(MULTIPLIERS[0] as i32));
        let (b_low, b_high) = block[2].wide_product(counter[0].constant(MULTIPLIERS[1] as i32));
        [
            b_high.exclusive_or(block[1]).exclusive_or(key[0]),
            b_low,
            a_high.exclusive_or(block[3]).exclusive_or(key[1]),
            a_low,
        ]
    })[0]
}
