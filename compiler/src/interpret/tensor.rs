//! A tensor of the interpreter: contiguous, the last axis fastest.

use crate::graph::DType;
use crate::size::{Size, SizeValues};

#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Data,
}

/// The elements: what the graph calls f32 is f64 here.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    F32(Vec<f64>),
    I32(Vec<i32>),
}

impl Tensor {
    pub fn f32(shape: Vec<usize>, data: Vec<f64>) -> Tensor {
        assert_eq!(shape.iter().product::<usize>(), data.len());
        Tensor { shape, data: Data::F32(data) }
    }

    pub fn i32(shape: Vec<usize>, data: Vec<i32>) -> Tensor {
        assert_eq!(shape.iter().product::<usize>(), data.len());
        Tensor { shape, data: Data::I32(data) }
    }

    pub fn scalar(value: f64) -> Tensor {
        Tensor::f32(Vec::new(), vec![value])
    }

    pub fn zeros(dtype: DType, shape: Vec<usize>) -> Tensor {
        let elements = shape.iter().product();
        match dtype {
            DType::F32 | DType::BF16 => Tensor::f32(shape, vec![0.0; elements]),
            DType::I32 => Tensor::i32(shape, vec![0; elements]),
        }
    }

    pub fn dtype(&self) -> DType {
        match self.data {
            Data::F32(_) => DType::F32,
            Data::I32(_) => DType::I32,
        }
    }

    pub fn floats(&self) -> &[f64] {
        match &self.data {
            Data::F32(data) => data,
            Data::I32(_) => panic!("bug in tfc: an i32 tensor where f32 was expected"),
        }
    }

    pub fn integers(&self) -> &[i32] {
        match &self.data {
            Data::I32(data) => data,
            Data::F32(_) => panic!("bug in tfc: an f32 tensor where i32 was expected"),
        }
    }

    pub fn is_finite(&self) -> bool {
        match &self.data {
            Data::F32(data) => data.iter().all(|x| x.is_finite()),
            Data::I32(_) => true,
        }
    }

    /// The length of the last axis.
    pub(super) fn width(&self) -> usize {
        *self.shape.last().expect("bug in tfc: a tensor without axes has no rows")
    }

    /// The rows: slices along the last axis.
    pub(super) fn rows(&self) -> std::slice::Chunks<'_, f64> {
        self.floats().chunks(self.width().max(1))
    }
}

/// A shape at the present sizes.
pub(super) fn shape_at(shape: &[Size], sizes: &SizeValues) -> Vec<usize> {
    let number = |size: &Size| usize::try_from(size.eval(sizes)).expect("bug in tfc: a negative size");
    shape.iter().map(number).collect()
}
