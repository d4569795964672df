//! Reductions over any set of axes.

use super::{Tensor, layout};
use crate::graph::Reduction;

pub(super) fn reduce(reduction: Reduction, axes: &[usize], x: &Tensor) -> Tensor {
    match reduction {
        Reduction::Sum => fold(axes, x, 0.0, |sum, x| sum + x),
        // `max` takes the other of a NaN: NaN only where all are.
        Reduction::Maximum => fold(axes, x, f64::NAN, f64::max),
        Reduction::L2Norm => l2_norm(axes, x),
    }
}

/// Folds the elements over `axes`, in order, into a tensor where those axes have size 1.
fn fold(axes: &[usize], x: &Tensor, start: f64, combine: impl Fn(f64, f64) -> f64) -> Tensor {
    let (shape, places) = places(axes, &x.shape);
    let mut results = vec![start; shape.iter().product()];
    for (place, x) in places.into_iter().zip(x.floats()) {
        results[place] = combine(results[place], *x);
    }
    Tensor::f32(shape, results)
}

fn l2_norm(axes: &[usize], x: &Tensor) -> Tensor {
    let largest = fold(axes, x, 0.0, |largest, x| largest.max(x.abs()));
    let scales: Vec<f64> = largest.floats().iter().map(|largest| scale_of(*largest)).collect();
    let (shape, places) = places(axes, &x.shape);
    let mut squares = vec![0.0; scales.len()];
    for (place, x) in places.into_iter().zip(x.floats()) {
        squares[place] += (x / scales[place]).powi(2);
    }
    Tensor::f32(shape, squares.iter().zip(&scales).map(|(squares, scale)| scale * squares.sqrt()).collect())
}

/// √Σx² without leaving the range of numbers on the way.
pub(super) fn norm_of(row: &[f64]) -> f64 {
    let scale = scale_of(row.iter().fold(0.0, |largest, x| largest.max(x.abs())));
    scale * row.iter().map(|x| (x / scale).powi(2)).sum::<f64>().sqrt()
}

/// What to divide by before squaring. Of a row of zeros or NaN, and of one with an infinity, nothing has to be saved.
fn scale_of(largest: f64) -> f64 {
    if largest == 0.0 || largest.is_infinite() { 1.0 } else { largest }
}

/// The shape of the result and, for each element of the operand, where in the result it belongs.
fn places(axes: &[usize], shape: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut reduced = shape.to_vec();
    axes.iter().for_each(|axis| reduced[*axis] = 1);
    let mut strides = layout::strides(&reduced);
    axes.iter().for_each(|axis| strides[*axis] = 0);
    let places = layout::offsets(shape, &strides, 0);
    (reduced, places)
}
