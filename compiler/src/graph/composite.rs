//! What the composite operations mean in primitives: used where a pass expands them and where a gradient needs a part of them,
//! so that both compute the same value with the same nodes and share it.
//!
//! All work along the last axis; what is one number per row has shape `[.., 1]`.

use super::{Builder, Reduction, Value};
use crate::scalar::{Binary, Unary};

/// ‖x‖₂, and the factor 1 / (‖x‖₂ + eps) that normalizes a row; the factor of a zero row is 0 if eps is.
pub fn l2_norm_and_factor(b: &mut Builder, x: Value, eps: f64) -> (Value, Value) {
    let norm = over_row(b, Reduction::L2Norm, x);
    let guarded = if eps == 0.0 { norm } else { plus(b, norm, eps) };
    (norm, b.unary(Unary::ReciprocalOrZero, guarded))
}

/// x − mean, and the factor 1 / √(variance + eps).
pub fn layer_norm_parts(b: &mut Builder, x: Value, eps: f64) -> (Value, Value) {
    let mean = mean(b, x);
    let mean = across_row(b, mean, x);
    let centered = b.binary(Binary::Subtract, x, mean);
    (centered, rms_factor(b, centered, eps))
}

/// 1 / √(mean of squares + eps).
pub fn rms_factor(b: &mut Builder, x: Value, eps: f64) -> Value {
    let squares = b.multiply(x, x);
    let mean = mean(b, squares);
    let guarded = plus(b, mean, eps);
    let root = b.unary(Unary::Sqrt, guarded);
    let one = b.like(root, 1.0);
    b.binary(Binary::Divide, one, root)
}

/// exp(x − max) of a row, and its sum.
pub fn stable_exp(b: &mut Builder, x: Value) -> (Value, Value) {
    let (shifted, _) = minus_maximum(b, x);
    let exp = b.unary(Unary::Exp, shifted);
    (exp, over_row(b, Reduction::Sum, exp))
}

/// ln Σ exp(x), finite wherever the true value is.
pub fn log_sum_exp(b: &mut Builder, x: Value) -> Value {
    let (shifted, maximum) = minus_maximum(b, x);
    let exp = b.unary(Unary::Exp, shifted);
    let sum = over_row(b, Reduction::Sum, exp);
    let log = b.unary(Unary::Log, sum);
    b.binary(Binary::Add, maximum, log)
}

/// The mean of each row.
pub fn mean(b: &mut Builder, x: Value) -> Value {
    let sum = over_row(b, Reduction::Sum, x);
    let width = b.ty(x).shape.last().expect("bug in tfc: rows need an axis").clone();
    let count = match width.as_constant() {
        Some(width) => b.like(sum, width as f64),
        None => {
            let count = b.size_of(width);
            b.spread(count, sum)
        }
    };
    b.binary(Binary::Divide, sum, count)
}

/// A reduction of each row.
pub fn over_row(b: &mut Builder, reduction: Reduction, x: Value) -> Value {
    let last = b.ty(x).rank() - 1;
    b.reduce(reduction, &[last], x)
}

/// One number per row, repeated along the rows of `x`.
pub fn across_row(b: &mut Builder, number: Value, x: Value) -> Value {
    let shape = b.ty(x).shape.clone();
    b.broadcast(number, &shape)
}

fn minus_maximum(b: &mut Builder, x: Value) -> (Value, Value) {
    let maximum = over_row(b, Reduction::Maximum, x);
    let repeated = across_row(b, maximum, x);
    (b.binary(Binary::Subtract, x, repeated), maximum)
}

fn plus(b: &mut Builder, x: Value, number: f64) -> Value {
    let number = b.like(x, number);
    b.binary(Binary::Add, x, number)
}
