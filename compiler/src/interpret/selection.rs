//! The largest numbers of rows.

use super::Tensor;

/// 1 at the k largest numbers of a row, of equals the first.
pub(super) fn top_k(x: &Tensor, k: usize) -> Tensor {
    let mask = |row: &[f64]| {
        let mut order: Vec<usize> = (0..row.len()).filter(|i| !row[*i].is_nan()).collect();
        // Stable: equals stay in their order.
        order.sort_by(|a, b| row[*b].partial_cmp(&row[*a]).expect("bug in tfc: a number is not NaN"));
        let mut mask = vec![0.0; row.len()];
        order.into_iter().take(k).for_each(|i| mask[i] = 1.0);
        mask
    };
    Tensor::f32(x.shape.clone(), x.rows().flat_map(mask).collect())
}

/// The k-th largest of each row, each with a k of its own.
pub(super) fn kth_largest(x: &Tensor, k: &Tensor) -> Tensor {
    let selected = x.rows().zip(k.floats()).map(|(row, k)| kth_largest_of(row, *k as usize));
    Tensor::f32(k.shape.clone(), selected.collect())
}

/// The smallest number that fewer than k others exceed; ∞ if there is no number.
pub(crate) fn kth_largest_of(row: &[f64], k: usize) -> f64 {
    let mut numbers: Vec<f64> = row.iter().copied().filter(|x| !x.is_nan()).collect();
    numbers.sort_by(|a, b| b.total_cmp(a));
    numbers.truncate(k);
    numbers.last().copied().unwrap_or(f64::INFINITY)
}
