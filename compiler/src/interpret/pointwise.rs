//! Operations on each element by itself, and the sources that fill a tensor.

use super::Tensor;
use crate::graph::DType;
use crate::random;
use crate::scalar::{Binary, Unary};

pub(super) fn constant(number: f64, dtype: DType, shape: Vec<usize>) -> Tensor {
    let elements = shape.iter().product();
    match dtype {
        DType::F32 | DType::BF16 => Tensor::f32(shape, vec![number; elements]),
        DType::I32 => Tensor::i32(shape, vec![number as i32; elements]),
    }
}

pub(super) fn uniform(seed: &Tensor, stream: u32, shape: Vec<usize>) -> Tensor {
    let seed = [seed.integers()[0], seed.integers()[1]];
    let elements = shape.iter().product::<usize>() as u64;
    Tensor::f32(shape, (0..elements).map(|index| random::uniform(seed, stream, index)).collect())
}

pub(super) fn unary(function: Unary, x: &Tensor) -> Tensor {
    Tensor::f32(x.shape.clone(), x.floats().iter().map(|x| function.eval(*x)).collect())
}

pub(super) fn binary(function: Binary, a: &Tensor, b: &Tensor) -> Tensor {
    let pairs = a.floats().iter().zip(b.floats());
    Tensor::f32(a.shape.clone(), pairs.map(|(a, b)| function.eval(*a, *b)).collect())
}

pub(super) fn select(condition: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
    let choices = condition.floats().iter().zip(a.floats().iter().zip(b.floats()));
    Tensor::f32(a.shape.clone(), choices.map(|(c, (a, b))| if *c != 0.0 { *a } else { *b }).collect())
}

pub(super) fn to_float(x: &Tensor) -> Tensor {
    Tensor::f32(x.shape.clone(), x.integers().iter().map(|x| f64::from(*x)).collect())
}
