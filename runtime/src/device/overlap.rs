//! Growing a tensor in place of another: what both shapes have is copied.

/// Copies the elements whose indices lie in both shapes, which have the same rank.
pub fn copy<T: Copy>(from: &[T], from_shape: &[usize], to: &mut [T], to_shape: &[usize]) {
    if from_shape == to_shape {
        to.copy_from_slice(from);
        return;
    }
    let (Some((from_rows, from_inner)), Some((to_rows, to_inner))) = (from_shape.split_first(), to_shape.split_first())
    else {
        return;
    };
    let (from_stride, to_stride) = (from_inner.iter().product::<usize>(), to_inner.iter().product::<usize>());
    if from_inner == to_inner {
        let shared = (*from_rows).min(*to_rows) * to_stride;
        to[..shared].copy_from_slice(&from[..shared]);
        return;
    }
    if from_stride == 0 || to_stride == 0 {
        return;
    }
    for (from, to) in from.chunks(from_stride).zip(to.chunks_mut(to_stride)) {
        copy(from, from_inner, to, to_inner);
    }
}

#[cfg(test)]
mod tests {
    use super::copy;

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
}
