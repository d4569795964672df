//! The normal distribution function Φ and GELU, x · Φ(x).
//!
//! With t = |x|: Φ(−t) = exp(−t²/2) · u · P(u), u = 1/(1 + 11/32 · t), P a polynomial. Below zero that is Φ itself, with its relative
//! accuracy; above zero Φ is 1 minus it.

use super::exponential::exp_of_negative;
use super::polynomial;
use crate::mlir::{Float, Value};

/// Minimax, in relative error 3·10⁻⁸, for Φ(−t) · exp(t²/2) / u on t in [0, 14.5].
const MILLS: [f32; 9] = [
    -0.027_582_156,
    0.142_803_85,
    -0.269_680_5,
    0.188_743_4,
    -0.037_907_947,
    0.112_107_426,
    0.116_869_584,
    0.137_525_81,
    0.137_120_54,
];

/// Beyond this, Φ(−t) · t is 0 in f32. It is not computed there: numbers that vanish are slow.
const FAR: f32 = 14.5;
/// Beyond that: for arguments that may not be infinite.
const FARTHER: f32 = 20.0;
/// 1/√(2π).
const DENSITY_AT_ZERO: f32 = 0.398_942_3;

/// x · Φ(x).
pub fn gelu<K: Float>(x: Value<K>) -> Value<K> {
    let x = x.or_at_least(x.constant(-FARTHER));
    x * Normal::of(x).distribution
}

/// Φ(x) + x · φ(x).
pub fn gelu_derivative<K: Float>(x: Value<K>) -> Value<K> {
    let x = x.or_at_least(x.constant(-FARTHER)).or_at_most(x.constant(FARTHER));
    let normal = Normal::of(x);
    (x * DENSITY_AT_ZERO).times_plus(normal.bell, normal.distribution)
}

struct Normal<'f, K: Float> {
    /// Φ(x).
    distribution: Value<'f, K>,
    /// exp(−x²/2).
    bell: Value<'f, K>,
}

impl<'f, K: Float> Normal<'f, K> {
    fn of(x: Value<'f, K>) -> Self {
        let (zero, one) = (x.constant(0.0), x.constant(1.0));
        let far = x.constant(FAR).less(x.absolute());
        let t = far.select(zero, x.absolute());
        // What rounding t² loses would be multiplied by the exponent.
        let half = t * -0.5;
        let square = half * t;
        let bell = exp_of_negative(square, half.times_plus(t, -square));
        let u = one / t.times_plus(x.constant(11.0 / 32.0), one);
        let below = far.select(zero, bell * (polynomial(u, &MILLS) * u));
        Normal { distribution: x.less(zero).select(below, one - below), bell: far.select(zero, bell) }
    }
}
