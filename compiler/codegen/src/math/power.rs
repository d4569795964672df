//! xʸ.

use super::exponential::exp;
use super::logarithm::log;
use crate::mlir::{Float, Value};

/// xʸ = exp(y · ln |x|); the relative error grows with |y · ln x|. A negative x is for whole y only: NaN otherwise.
pub fn power<'f, K: Float>(x: Value<'f, K>, y: Value<'f, K>) -> Value<'f, K> {
    let (zero, one) = (x.constant(0.0), x.constant(1.0));
    let magnitude = exp(y * log(x.absolute()));
    let odd = (y * 0.5).floor().equals(y * 0.5).select(one, -one);
    let whole = y.floor().equals(y);
    let negative = whole.select(odd * magnitude, x.constant(f32::NAN));
    let result = x.less(zero).select(negative, magnitude);
    y.equals(zero).select(one, result)
}
