//! Operations that move elements: each is a walk over the result with strides into the operand.

use super::{Data, Tensor};

/// The distance between neighbours along each axis of a contiguous tensor.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// For each element of `shape` in order, `start` plus its index times `strides`.
pub(super) fn offsets(shape: &[usize], strides: &[usize], start: usize) -> Vec<usize> {
    let mut offsets = vec![start];
    for (size, stride) in shape.iter().zip(strides) {
        offsets = offsets.iter().flat_map(|offset| (0..*size).map(move |i| offset + i * stride)).collect();
    }
    offsets
}

fn gather(x: &Tensor, shape: Vec<usize>, strides: &[usize], start: usize) -> Tensor {
    let offsets = offsets(&shape, strides, start);
    let data = match &x.data {
        Data::F32(data) => Data::F32(offsets.iter().map(|i| data[*i]).collect()),
        Data::I32(data) => Data::I32(offsets.iter().map(|i| data[*i]).collect()),
    };
    Tensor { shape, data }
}

pub(super) fn broadcast(x: &Tensor, shape: Vec<usize>) -> Tensor {
    let repeated = |(size, stride): (&usize, usize)| if *size == 1 { 0 } else { stride };
    let strides: Vec<usize> = x.shape.iter().zip(strides(&x.shape)).map(repeated).collect();
    gather(x, shape, &strides, 0)
}

pub(super) fn reshape(x: &Tensor, shape: Vec<usize>) -> Tensor {
    Tensor { shape, data: x.data.clone() }
}

pub(super) fn transpose(x: &Tensor, permutation: &[usize], shape: Vec<usize>) -> Tensor {
    let from = strides(&x.shape);
    let strides: Vec<usize> = permutation.iter().map(|axis| from[*axis]).collect();
    gather(x, shape, &strides, 0)
}

pub(super) fn slice(x: &Tensor, axis: usize, start: usize, shape: Vec<usize>) -> Tensor {
    let strides = strides(&x.shape);
    gather(x, shape, &strides, start * strides[axis])
}

pub(super) fn concat(parts: &[&Tensor], axis: usize, shape: Vec<usize>) -> Tensor {
    let outer: usize = shape[..axis].iter().product();
    let mut result = Tensor::zeros(parts[0].dtype(), shape);
    match &mut result.data {
        Data::F32(data) => *data = interleave(parts, outer, Tensor::floats),
        Data::I32(data) => *data = interleave(parts, outer, Tensor::integers),
    }
    result
}

/// For each of the `outer` leading indices, that part of every tensor.
fn interleave<T: Copy>(parts: &[&Tensor], outer: usize, data: fn(&Tensor) -> &[T]) -> Vec<T> {
    let piece = |part: &Tensor, i: usize| {
        let all = data(part);
        let length = all.len() / outer;
        all[i * length..(i + 1) * length].to_vec()
    };
    (0..outer).flat_map(|i| parts.iter().flat_map(move |part| piece(part, i))).collect()
}

pub(super) fn iota(axis: usize, shape: Vec<usize>) -> Tensor {
    let numbers: Vec<f64> = (0..shape[axis]).map(|i| i as f64).collect();
    let mut strides = vec![0; shape.len()];
    strides[axis] = 1;
    gather(&Tensor::f32(vec![shape[axis]], numbers), shape, &strides, 0)
}
