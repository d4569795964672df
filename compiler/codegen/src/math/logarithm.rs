//! The natural logarithm.

use super::polynomial;
use crate::mlir::{Float, Value};

/// Minimax for (ln(1 + m) − m + m²/2) / m³ on [−1/3, 1/3].
const LOG: [f32; 9] = [
    -0.130_310_06,
    0.140_869_14,
    -0.121_484_19,
    0.139_814_85,
    -0.166_846_05,
    0.200_120_34,
    -0.249_996_2,
    0.333_331_97,
    -0.5,
];

/// ln x: −∞ for 0, NaN below.
pub fn log<K: Float>(x: Value<K>) -> Value<K> {
    let (zero, infinity) = (x.constant(0.0), x.constant(f32::INFINITY));
    // Denormal numbers are made normal first.
    let tiny = x.less(x.constant(f32::MIN_POSITIVE));
    let normal = tiny.select(x * 2f32.powi(23), x);
    let bits = normal.bits();
    // x = m · 2^e with m in [2/3, 4/3).
    let exponent = (bits - (2f32 / 3.0).to_bits() as i32).shift_right(23);
    let mantissa = (bits - exponent.shift_left(23)).as_float() - 1.0;
    let exponent = exponent.to_float() - tiny.select(x.constant(23.0), zero);
    let square = mantissa * mantissa;
    let tail = polynomial(mantissa, &LOG) * square;
    let result = exponent.times_plus(x.constant(std::f32::consts::LN_2), tail + mantissa);
    // 0, infinity, and what is neither above 0 nor below infinity: negative numbers and NaN.
    let result = x.less(infinity).select(result, x);
    let result = zero.less(x).select(result, x.constant(f32::NAN));
    x.equals(zero).select(-infinity, result)
}
