//! Gradients of the composites over the last axis: each from its result y and one number per row, so that nothing else is kept.

use crate::graph::composite::{across_row, l2_norm_and_factor, layer_norm_parts, mean, over_row, rms_factor};
use crate::graph::{Builder, Op, Reduction, Value};
use crate::scalar::{Binary, Unary};

/// r·(g − y·⟨g, y⟩·(‖x‖ + eps)/‖x‖) with r = 1/(‖x‖ + eps): no power of r, which would leave the range for tiny rows. 0 for a zero row.
pub(super) fn l2_normalize(b: &mut Builder, eps: f64, x: Value, y: Value, g: Value) -> Value {
    let (norm, factor) = l2_norm_and_factor(b, x, eps);
    let product = b.multiply(g, y);
    let along = over_row(b, Reduction::Sum, product);
    if eps == 0.0 {
        return scaled_rest(b, factor, along, y, g);
    }
    // (‖x‖ + eps)/‖x‖ = 1 + eps/‖x‖, and a zero row is told by its norm, for its factor is not 0.
    let inverse = b.unary(Unary::ReciprocalOrZero, norm);
    let excess = b.scaled(inverse, eps);
    let one = b.like(norm, 1.0);
    let stretch = b.binary(Binary::Add, one, excess);
    let along = b.multiply(along, stretch);
    let zero = b.like(norm, 0.0);
    let factor = b.add(Op::Select, &[norm, factor, zero]);
    scaled_rest(b, factor, along, y, g)
}

/// s·(g − mean g − y·mean(g·y)) with s = 1/√(variance + eps).
pub(super) fn layer_norm(b: &mut Builder, eps: f64, x: Value, y: Value, g: Value) -> Value {
    let (_, factor) = layer_norm_parts(b, x, eps);
    let product = b.multiply(g, y);
    let along = mean(b, product);
    let shift = mean(b, g);
    let shift = across_row(b, shift, g);
    let g = b.binary(Binary::Subtract, g, shift);
    scaled_rest(b, factor, along, y, g)
}

/// s·(g − y·mean(g·y)) with s = 1/√(mean x² + eps).
pub(super) fn rms_norm(b: &mut Builder, eps: f64, x: Value, y: Value, g: Value) -> Value {
    let factor = rms_factor(b, x, eps);
    let product = b.multiply(g, y);
    let along = mean(b, product);
    scaled_rest(b, factor, along, y, g)
}

/// y·(g − ⟨g, y⟩).
pub(super) fn softmax(b: &mut Builder, y: Value, g: Value) -> Value {
    let product = b.multiply(g, y);
    let along = over_row(b, Reduction::Sum, product);
    let along = across_row(b, along, y);
    let rest = b.binary(Binary::Subtract, g, along);
    b.multiply(y, rest)
}

/// factor·(g − y·along), factor and along one number per row.
fn scaled_rest(b: &mut Builder, factor: Value, along: Value, y: Value, g: Value) -> Value {
    let [factor, along] = [factor, along].map(|number| across_row(b, number, y));
    let projection = b.multiply(y, along);
    let rest = b.binary(Binary::Subtract, g, projection);
    b.multiply(rest, factor)
}
