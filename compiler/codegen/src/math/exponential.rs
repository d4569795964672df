//! exp.

use super::polynomial;
use crate::mlir::{Bits, Float, Value, Vector};
use std::f32::consts::LOG2_E;
use tfc_compiler::optimization::Optimization;

/// ln 2 in two parts; the first has few bits, so its product with an exponent is exact.
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// 1.5 · 2²³: adding it rounds to an integer, which then stands in the low bits.
pub(super) const ROUNDER: f32 = 12_582_912.0;
/// Minimax for eˣ on [−ln 2 / 2, ln 2 / 2].
const EXP: [f32; 7] = [1.378_059_4e-3, 8.373_125e-3, 4.166_953_6e-2, 1.666_647_2e-1, 4.999_998_5e-1, 1.0, 1.0];

/// Minimax for 2ˣ on [−½, ½].
const EXP2: [f32; 7] =
    [1.534_581_2e-4, 1.339_993_1e-3, 9.618_489e-3, 5.550_328_6e-2, 2.402_264_6e-1, 6.931_472e-1, 1.0];

/// eˣ: 0 and infinity where it leaves f32, denormal before that.
pub fn exp<K: Float>(x: Value<K>) -> Value<K> {
    let x = x.or_at_least(x.constant(-105.0)).or_at_most(x.constant(89.0));
    if is_scaled(x) {
        return K::in_register(x, scale);
    }
    let reduced = reduce(x);
    // The exponent is applied in two steps: it may lie outside that of a normal number.
    let negative = reduced.rounded.less(x.constant(0.0));
    let shift = negative.select(reduced.exponent.constant(64), reduced.exponent.constant(-64));
    let unshift = negative.select(x.constant(2f32.powi(-64)), x.constant(2f32.powi(64)));
    reduced.mantissa * power_of_two(reduced.exponent + shift) * unshift
}

/// 2ˣ for x at most a little above 0, as a softmax needs it: below 2⁻¹⁰⁰ it stays there, which beside the 1 of the largest is nothing.
pub fn exp2_of_softmax<K: Float>(x: Value<K>) -> Value<K> {
    let x = x.or_at_least(x.constant(-100.0));
    let shifted = x + ROUNDER;
    let mantissa = polynomial(x - (shifted - ROUNDER), &EXP2);
    // The exponent stands in the low bits. NaN stays NaN.
    (mantissa.bits() + shifted.bits().shift_left(23)).as_float()
}

/// eˣ for x in [−105, 0].
pub fn exp_of_negative<K: Float>(x: Value<K>) -> Value<K> {
    if is_scaled(x) {
        return K::in_register(x, scale);
    }
    let reduced = reduce(x);
    reduced.mantissa * power_of_two(reduced.exponent + 64) * 2f32.powi(-64)
}

/// Whether an instruction applies exponents.
fn is_scaled<K: Float>(x: Value<K>) -> bool {
    x.function().vectors().avx512() && x.function().uses(Optimization::Exponents)
}

/// eˣ where an instruction applies exponents.
fn scale(x: Vector<'_>) -> Vector<'_> {
    let reduced = reduce(x);
    reduced.mantissa.scaled(reduced.rounded)
}

/// eˣ = mantissa · 2^exponent, the mantissa in [√½, √2].
struct Reduced<'f, K: Float> {
    mantissa: Value<'f, K>,
    exponent: Value<'f, K::Bits>,
    /// The exponent as a float.
    rounded: Value<'f, K>,
}

fn reduce<K: Float>(x: Value<K>) -> Reduced<K> {
    let shifted = x.times_plus(x.constant(LOG2_E), x.constant(ROUNDER));
    let rounded = shifted - ROUNDER;
    let rest = rounded.times_plus(x.constant(-LN_2_HIGH), x);
    let rest = rounded.times_plus(x.constant(-LN_2_LOW), rest);
    let exponent = shifted.bits() - ROUNDER.to_bits() as i32;
    Reduced { mantissa: polynomial(rest, &EXP), exponent, rounded }
}

/// 2ⁿ for the exponents n of normal numbers.
fn power_of_two<K: Bits>(exponent: Value<K>) -> Value<K::Float> {
    (exponent + 127).shift_left(23).as_float()
}
