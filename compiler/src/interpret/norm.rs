//! The composites over the last axis, row by row.

use super::{Tensor, reduce};

pub(super) fn l2_normalize(x: &Tensor, eps: f64) -> Tensor {
    by_row(x, |row| {
        let norm = reduce::norm_of(row);
        row.iter().map(|x| if norm == 0.0 { 0.0 } else { x / (norm + eps) }).collect()
    })
}

pub(super) fn layer_norm(x: &Tensor, eps: f64) -> Tensor {
    by_row(x, |row| {
        let mean = mean(row.iter().copied());
        let deviation = (mean_square(row.iter().map(|x| x - mean)) + eps).sqrt();
        row.iter().map(|x| (x - mean) / deviation).collect()
    })
}

pub(super) fn rms_norm(x: &Tensor, eps: f64) -> Tensor {
    by_row(x, |row| {
        let scale = (mean_square(row.iter().copied()) + eps).sqrt();
        row.iter().map(|x| x / scale).collect()
    })
}

pub(super) fn softmax(x: &Tensor) -> Tensor {
    by_row(x, |row| {
        let log_sum_exp = log_sum_exp(row);
        row.iter().map(|x| (x - log_sum_exp).exp()).collect()
    })
}

/// ln Σ exp(x), finite wherever the true value is.
pub(super) fn log_sum_exp(row: &[f64]) -> f64 {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + row.iter().map(|x| (x - largest).exp()).sum::<f64>().ln()
}

fn by_row(x: &Tensor, f: impl Fn(&[f64]) -> Vec<f64>) -> Tensor {
    Tensor::f32(x.shape.clone(), x.rows().flat_map(f).collect())
}

fn mean(numbers: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = numbers.len() as f64;
    numbers.sum::<f64>() / count
}

fn mean_square(numbers: impl ExactSizeIterator<Item = f64>) -> f64 {
    mean(numbers.map(|x| x * x))
}
