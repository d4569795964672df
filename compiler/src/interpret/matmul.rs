//! The matrix product: transposed operands are copied into place first, then there is one loop nest.

use super::Tensor;

/// `[.., M, K] × [K, N]` or `[.., M, K] × [.., K, N]` into `shape`.
pub(super) fn matmul(a: &Tensor, b: &Tensor, transpose_a: bool, transpose_b: bool, shape: Vec<usize>) -> Tensor {
    let [m, n] = shape[shape.len() - 2..] else { unreachable!("a matrix has two axes") };
    let k = if transpose_a { a.shape[a.shape.len() - 2] } else { a.width() };
    let outer: usize = shape[..shape.len() - 2].iter().product();
    let shared_b = b.shape.len() == 2;
    let mut c = vec![0.0; outer * m * n];
    for i in 0..outer {
        let a = matrix(&a.floats()[i * m * k..(i + 1) * m * k], transpose_a, k);
        let b_at = if shared_b { 0 } else { i * k * n };
        let b = matrix(&b.floats()[b_at..b_at + k * n], transpose_b, n);
        multiply(&a, &b, &mut c[i * m * n..(i + 1) * m * n], [m, n, k]);
    }
    Tensor::f32(shape, c)
}

/// The matrix with `width` columns; if transposed, from one that is stored with its columns as rows.
fn matrix(data: &[f64], transposed: bool, width: usize) -> std::borrow::Cow<'_, [f64]> {
    if !transposed || data.is_empty() {
        return data.into();
    }
    let height = data.len() / width;
    (0..height).flat_map(|row| (0..width).map(move |column| data[column * height + row])).collect()
}

/// c += a · b. The block of b stays in cache while the rows of a pass; four rows of b are added at a time.
fn multiply(a: &[f64], b: &[f64], c: &mut [f64], [m, n, k]: [usize; 3]) {
    const BLOCK: usize = 64;
    for first in (0..k).step_by(BLOCK) {
        let last = (first + BLOCK).min(k);
        for row in 0..m {
            let c = &mut c[row * n..(row + 1) * n];
            let a = &a[row * k..(row + 1) * k];
            let mut i = first;
            while i + 4 <= last {
                let b: [&[f64]; 4] = std::array::from_fn(|j| &b[(i + j) * n..(i + j + 1) * n]);
                add_four_rows(c, [a[i], a[i + 1], a[i + 2], a[i + 3]], b);
                i += 4;
            }
            for i in i..last {
                c.iter_mut().zip(&b[i * n..(i + 1) * n]).for_each(|(c, b)| *c += a[i] * b);
            }
        }
    }
}

fn add_four_rows(c: &mut [f64], factors: [f64; 4], rows: [&[f64]; 4]) {
    let [a0, a1, a2, a3] = factors;
    let [b0, b1, b2, b3] = rows.map(|row| &row[..c.len()]);
    for (j, c) in c.iter_mut().enumerate() {
        *c += (a0 * b0[j] + a1 * b1[j]) + (a2 * b2[j] + a3 * b3[j]);
    }
}
