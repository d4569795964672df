//! The normal distribution function Φ and GELU, x · Φ(x).
//!
//! With t = |x|: Φ(−t) = exp(−t²/2) · u · P(u), u = 1/(1 + 11/32 · t), P a polynomial. Below zero that is Φ itself, with its relative
//! accuracy; above zero Φ is 1 minus it.
//!
//! Beside products of bf16 odd polynomials around ½ are near enough: half of the work, without division and exponential.

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

/// Minimax, in absolute error 3.7·10⁻⁶, for (Φ(x) − ½) / x in x² on [−4.5, 4.5].
const NEAR: [f32; 10] = [
    -1.726_325_4e-12,
    2.022_436_8e-10,
    -1.056_708_9e-8,
    3.278_920_2e-7,
    -6.813_725e-6,
    1.017_340_6e-4,
    -1.142_715_1e-3,
    9.891_774e-3,
    -6.642_068e-2,
    3.989_246_8e-1,
];
/// From here on Φ is what it is here, within 3.4·10⁻⁶.
const NEAR_END: f32 = 4.5;

/// Minimax, in absolute error 1.3·10⁻⁵, for (Φ(x) + x · φ(x) − ½) / x in x² on [−5, 5].
const NEAR_DERIVATIVE: [f32; 12] = [
    -1.779_871_5e-14,
    2.946_771_3e-12,
    -2.191_093_4e-10,
    9.701_845_5e-9,
    -2.863_815_8e-7,
    5.986_881e-6,
    -9.197_866e-5,
    1.061_314_8e-3,
    -9.241_356e-3,
    5.943_608e-2,
    -2.656_623_7e-1,
    7.978_188_4e-1,
];
/// The same for the derivative, within 7.2·10⁻⁶.
const NEAR_DERIVATIVE_END: f32 = 5.0;

/// x · Φ(x), off by at most 2⁻¹⁷ · |x|, below −4.5 by 2⁻¹⁷ · 4.5.
pub fn near_gelu<K: Float>(x: Value<K>) -> Value<K> {
    let x = x.or_at_least(x.constant(-NEAR_END));
    x * odd_around_half(x.or_at_most(x.constant(NEAR_END)), &NEAR)
}

/// Φ(x) + x · φ(x), off by at most 2⁻¹⁵.
pub fn near_gelu_derivative<K: Float>(x: Value<K>) -> Value<K> {
    let end = x.constant(NEAR_DERIVATIVE_END);
    odd_around_half(x.or_at_least(-end).or_at_most(end), &NEAR_DERIVATIVE)
}

fn odd_around_half<'f, K: Float>(x: Value<'f, K>, coefficients: &[f32]) -> Value<'f, K> {
    polynomial(x * x, coefficients).times_plus(x, x.constant(0.5))
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
