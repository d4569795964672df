//! The cross entropy, by itself and of a matrix product.

use super::{Tensor, matmul, norm};

/// (loss, log-sum-exp) of each row.
pub(super) fn cross_entropy(logits: &Tensor, labels: &Tensor) -> [Tensor; 2] {
    let log_sum_exp: Vec<f64> = logits.rows().map(norm::log_sum_exp).collect();
    let rows = logits.rows().zip(labels.integers()).zip(&log_sum_exp);
    let loss = rows.map(|((row, label), log_sum_exp)| log_sum_exp - row[*label as usize]).collect();
    [loss, log_sum_exp].map(|data| Tensor::f32(row_shape(logits), data))
}

/// (softmax(logits) − onehot(labels)) · gradient of the row's loss.
pub(super) fn cross_entropy_backward(
    logits: &Tensor,
    labels: &Tensor,
    log_sum_exp: &Tensor,
    gradient: &Tensor,
) -> Tensor {
    let mut data = logits.floats().to_vec();
    let scalars = labels.integers().iter().zip(log_sum_exp.floats().iter().zip(gradient.floats()));
    for (row, (label, (log_sum_exp, gradient))) in data.chunks_mut(logits.width().max(1)).zip(scalars) {
        row.iter_mut().for_each(|x| *x = (*x - log_sum_exp).exp());
        row[*label as usize] -= 1.0;
        row.iter_mut().for_each(|x| *x *= gradient);
    }
    Tensor::f32(logits.shape.clone(), data)
}

/// [`cross_entropy`] of h · wᵀ.
pub(super) fn vocabulary(h: &Tensor, w: &Tensor, labels: &Tensor) -> [Tensor; 2] {
    cross_entropy(&logits(h, w), labels)
}

/// Gradients of h `[.., D]` and w `[V, D]`.
pub(super) fn vocabulary_backward(
    h: &Tensor,
    w: &Tensor,
    labels: &Tensor,
    log_sum_exp: &Tensor,
    gradient: &Tensor,
) -> [Tensor; 2] {
    let d_logits = cross_entropy_backward(&logits(h, w), labels, log_sum_exp, gradient);
    let d_h = Tensor { shape: h.shape.clone(), ..matmul::matmul(&flat(&d_logits), w, false, false, flat(h).shape) };
    let d_w = matmul::matmul(&flat(&d_logits), &flat(h), true, false, w.shape.clone());
    [d_h, d_w]
}

fn logits(h: &Tensor, w: &Tensor) -> Tensor {
    let flat = flat(h);
    let product = matmul::matmul(&flat, w, false, true, vec![flat.shape[0], w.shape[0]]);
    Tensor { shape: [&h.shape[..h.shape.len() - 1], &w.shape[..1]].concat(), ..product }
}

/// All rows under one another.
fn flat(x: &Tensor) -> Tensor {
    let rows = x.shape[..x.shape.len() - 1].iter().product();
    Tensor { shape: vec![rows, x.width()], data: x.data.clone() }
}

fn row_shape(logits: &Tensor) -> Vec<usize> {
    [&logits.shape[..logits.shape.len() - 1], &[1]].concat()
}
