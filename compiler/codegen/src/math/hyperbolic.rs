//! tanh.

use super::exponential::exp_of_negative;
use super::polynomial;
use crate::mlir::{Float, Value};

/// Minimax for tanh(x)/x − 1 in x² on |x| ≤ 0.55.
const TANH: [f32; 5] = [1.573_944e-2, -5.230_395e-2, 1.331_529_8e-1, -3.333_276_8e-1, 0.0];

pub fn tanh<K: Float>(x: Value<K>) -> Value<K> {
    let magnitude = x.absolute();
    let small = polynomial(x * x, &TANH).times_plus(x, x);
    // 1 − 2e/(1 + e) with e = exp(−2|x|).
    let e = exp_of_negative(magnitude.or_at_most(x.constant(10.0)) * -2.0);
    let large = x.constant(1.0) - (e + e) / (e + 1.0);
    magnitude.less(x.constant(0.55)).select(small, large.with_sign_of(x))
}
