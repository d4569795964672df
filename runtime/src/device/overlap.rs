//! Growing a tensor: what both shapes have keeps its indices.

/// The elements whose indices lie in both shapes, which have the same rank, as runs of consecutive ones: their places in either tensor, their number.
pub fn runs(from_shape: &[usize], to_shape: &[usize]) -> Vec<(usize, usize, usize)> {
    let mut runs = Vec::new();
    add(from_shape, to_shape, (0, 0), &mut runs);
    runs
}

fn add(from_shape: &[usize], to_shape: &[usize], at: (usize, usize), runs: &mut Vec<(usize, usize, usize)>) {
    let (Some((from_rows, from_inner)), Some((to_rows, to_inner))) = (from_shape.split_first(), to_shape.split_first())
    else {
        runs.push((at.0, at.1, 1));
        return;
    };
    let (from_stride, to_stride) = (from_inner.iter().product::<usize>(), to_inner.iter().product::<usize>());
    let rows = (*from_rows).min(*to_rows);
    if from_stride == 0 || to_stride == 0 || rows == 0 {
        return;
    }
    if from_inner == to_inner {
        runs.push((at.0, at.1, rows * to_stride));
        return;
    }
    for row in 0..rows {
        add(from_inner, to_inner, (at.0 + row * from_stride, at.1 + row * to_stride), runs);
    }
}

/// Copies what both tensors have.
pub fn copy<T: Copy>(from: &[T], from_shape: &[usize], to: &mut [T], to_shape: &[usize]) {
    for (start, place, count) in runs(from_shape, to_shape) {
        to[place..place + count].copy_from_slice(&from[start..start + count]);
    }
}

#[cfg(test)]
mod tests {
    use super::{copy, runs};

    #[test]
    fn rows_and_columns_grow() {
        let old = [1, 2, 3, 4]; // [2, 2]
        let mut rows = [0; 6];
        copy(&old, &[2, 2], &mut rows, &[3, 2]);
        assert_eq!(rows, [1, 2, 3, 4, 0, 0]);
        let mut columns = [0; 6];
        copy(&old, &[2, 2], &mut columns, &[2, 3]);
        assert_eq!(columns, [1, 2, 0, 3, 4, 0]);
        let mut smaller = [0; 2];
        copy(&old, &[2, 2], &mut smaller, &[2, 1]);
        assert_eq!(smaller, [1, 3]);
        copy(&[], &[0, 2], &mut smaller, &[1, 2]);
        assert_eq!(smaller, [1, 3]);
    }

    #[test]
    fn rows_that_stay_as_long_are_one_run() {
        assert_eq!(runs(&[2, 3, 4], &[5, 3, 4]), [(0, 0, 24)]);
        assert_eq!(runs(&[2, 3, 4], &[2, 3, 4]), [(0, 0, 24)]);
        assert_eq!(runs(&[2, 1, 4], &[2, 3, 4]), [(0, 0, 4), (4, 12, 4)]);
        assert_eq!(runs(&[], &[]), [(0, 0, 1)]);
    }
}
