//! Operations by index: embeddings, one-hot rows, the largest class.

use super::Tensor;

pub(super) fn embed(ids: &Tensor, table: &Tensor, shape: Vec<usize>) -> Tensor {
    let width = table.width();
    let row = |id: &i32| &table.floats()[*id as usize * width..(*id as usize + 1) * width];
    Tensor::f32(shape, ids.integers().iter().flat_map(row).copied().collect())
}

pub(super) fn embed_backward(ids: &Tensor, gradient: &Tensor, shape: Vec<usize>) -> Tensor {
    let width = gradient.width();
    let mut table = vec![0.0; shape.iter().product()];
    for (id, row) in ids.integers().iter().zip(gradient.rows()) {
        let sums = &mut table[*id as usize * width..(*id as usize + 1) * width];
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
    Tensor::f32(shape, table)
}

pub(super) fn one_hot(labels: &Tensor, shape: Vec<usize>) -> Tensor {
    let classes = *shape.last().expect("bug in tfc: one-hot rows have an axis");
    let row = |label: &i32| {
        let label = *label as usize;
        (0..classes).map(move |class| if class == label { 1.0 } else { 0.0 })
    };
    Tensor::f32(shape, labels.integers().iter().flat_map(row).collect())
}

pub(super) fn arg_max(x: &Tensor, shape: Vec<usize>) -> Tensor {
    let first_largest = |row: &[f64]| (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best });
    Tensor::i32(shape, x.rows().map(|row| first_largest(row) as i32).collect())
}

pub(super) fn labels_equal(a: &Tensor, b: &Tensor) -> Tensor {
    let equal = |(a, b): (&i32, &i32)| if a == b { 1.0 } else { 0.0 };
    Tensor::f32(a.shape.clone(), a.integers().iter().zip(b.integers()).map(equal).collect())
}
