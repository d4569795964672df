//! The logistic function σ and what is made of it.

use super::exponential::exp_of_negative;
use crate::mlir::{Float, Value};

pub fn sigmoid<K: Float>(x: Value<K>) -> Value<K> {
    Logistic::of(x).at_x
}

/// x · σ(x).
pub fn silu<K: Float>(x: Value<K>) -> Value<K> {
    finite_below(x) * sigmoid(x)
}

/// σ(x) · (1 + x · σ(−x)).
pub fn silu_derivative<K: Float>(x: Value<K>) -> Value<K> {
    let x = bounded(x);
    let sigma = Logistic::of(x);
    sigma.at_x * x.times_plus(sigma.at_minus_x, x.constant(1.0))
}

/// x/2 · (1 + tanh u) = x · σ(2u), u = √(2/π) · (x + 0.044715 · x³).
pub fn gelu_tanh<K: Float>(x: Value<K>) -> Value<K> {
    let x = finite_below(x);
    x * Logistic::of(twice_inner(x)).at_x
}

pub fn gelu_tanh_derivative<K: Float>(x: Value<K>) -> Value<K> {
    let x = bounded(x);
    let sigma = Logistic::of(twice_inner(x));
    let slope = (x * x).times_plus(x.constant(3.0 * CUBIC * SCALE), x.constant(SCALE));
    (x * slope * sigma.at_minus_x).times_plus(sigma.at_x, sigma.at_x)
}

/// 2 · √(2/π).
const SCALE: f32 = 1.595_769;
const CUBIC: f32 = 0.044_715;

fn twice_inner<K: Float>(x: Value<K>) -> Value<K> {
    x * (x * x).times_plus(x.constant(CUBIC * SCALE), x.constant(SCALE))
}

/// −∞ · 0 is not what is meant.
fn finite_below<K: Float>(x: Value<K>) -> Value<K> {
    x.or_at_least(x.constant(-f32::MAX))
}

/// Where the derivatives are 0 and 1 to the last bit, and x·0 is still 0.
fn bounded<K: Float>(x: Value<K>) -> Value<K> {
    x.or_at_least(x.constant(-200.0)).or_at_most(x.constant(200.0))
}

/// σ(x) and σ(−x) = 1 − σ(x), each with its relative accuracy.
struct Logistic<'f, K: Float> {
    at_x: Value<'f, K>,
    at_minus_x: Value<'f, K>,
}

impl<'f, K: Float> Logistic<'f, K> {
    fn of(x: Value<'f, K>) -> Self {
        let one = x.constant(1.0);
        let e = exp_of_negative((-x.absolute()).or_at_least(x.constant(-105.0)));
        let (large, negative) = (one / (e + one), x.less(x.constant(0.0)));
        let small = e * large;
        Logistic { at_x: negative.select(small, large), at_minus_x: negative.select(large, small) }
    }
}
