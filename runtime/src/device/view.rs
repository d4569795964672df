//! Tensors where they lie.

use super::HostTensor;
use std::ops::Range;

/// A tensor that is somebody else's, for as long as one may look at it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TensorView<'a> {
    pub shape: &'a [usize],
    pub numbers: Numbers<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Numbers<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
    I32(&'a [i32]),
}

impl TensorView<'_> {
    /// The numbers as f64, whatever the type.
    pub fn to_f64(&self) -> Vec<f64> {
        self.numbers.to_f64(0..self.numbers.len())
    }

    /// The rows along the last axis, one after the other, as f64.
    pub fn rows(&self) -> impl Iterator<Item = Vec<f64>> {
        let width = self.shape.last().copied().unwrap_or(1).max(1);
        (0..self.numbers.len() / width).map(move |row| self.numbers.to_f64(row * width..(row + 1) * width))
    }
}

impl Numbers<'_> {
    pub fn len(&self) -> usize {
        match self {
            Numbers::F32(numbers) => numbers.len(),
            Numbers::F64(numbers) => numbers.len(),
            Numbers::I32(numbers) => numbers.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those in a range of places, as f64.
    pub fn to_f64(&self, places: Range<usize>) -> Vec<f64> {
        match self {
            Numbers::F32(numbers) => numbers[places].iter().map(|x| f64::from(*x)).collect(),
            Numbers::F64(numbers) => numbers[places].to_vec(),
            Numbers::I32(numbers) => numbers[places].iter().map(|x| f64::from(*x)).collect(),
        }
    }
}

impl HostTensor {
    pub fn view(&self) -> TensorView<'_> {
        match self {
            HostTensor::F32 { shape, data } => TensorView { shape, numbers: Numbers::F32(data) },
            HostTensor::F64 { shape, data } => TensorView { shape, numbers: Numbers::F64(data) },
            HostTensor::I32 { shape, data } => TensorView { shape, numbers: Numbers::I32(data) },
        }
    }

    /// The numbers as f64, whatever the type.
    pub fn to_f64(&self) -> Vec<f64> {
        self.view().to_f64()
    }
}
