//! The tensors outside a graph, by the names that it knows them by.

use super::{Data, Tensor};
use crate::storage::{Storage, WeightForm};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What loads read and outputs write. The inputs and outputs of one graph stand beside the tensors that all entries share.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    tensors: BTreeMap<Storage, Tensor>,
}

impl Memory {
    pub fn set(&mut self, storage: Storage, tensor: Tensor) {
        self.tensors.insert(storage, tensor);
    }

    pub fn find(&self, storage: Storage) -> Option<&Tensor> {
        self.tensors.get(&storage)
    }

    /// As [`Memory::find`]; a weight is made of its parameter.
    pub fn read(&self, storage: Storage) -> Option<Cow<'_, Tensor>> {
        match storage {
            Storage::Weight(i, form) => self.find(Storage::Parameter(i)).map(|tensor| Cow::Owned(weight(tensor, form))),
            other => self.find(other).map(Cow::Borrowed),
        }
    }

    /// Adds to a tensor; one that is not there counts as zero.
    pub fn add(&mut self, storage: Storage, tensor: &Tensor) {
        match self.tensors.get_mut(&storage) {
            None => self.set(storage, tensor.clone()),
            Some(sum) => add_into(sum, tensor),
        }
    }

    pub fn remove(&mut self, storage: Storage) -> Option<Tensor> {
        self.tensors.remove(&storage)
    }

    /// The tensor that a load names, which the caller of a graph must have set.
    pub(super) fn get(&self, storage: Storage, shape: &[usize]) -> Cow<'_, Tensor> {
        let tensor = self.read(storage).unwrap_or_else(|| panic!("bug in tfc: {storage:?} was never set"));
        assert_eq!(tensor.shape, shape, "bug in tfc: {storage:?} has another shape than its load");
        tensor
    }
}

/// A matrix in another form: rounded, and its columns as rows.
fn weight(parameter: &Tensor, form: WeightForm) -> Tensor {
    let numbers = parameter.floats().iter().map(|x| form.precision.operand(*x)).collect::<Vec<f64>>();
    let columns = parameter.width();
    let place = |i: usize| match (form.transposed, numbers.len() / columns.max(1)) {
        (true, rows) => i % rows * columns + i / rows,
        (false, _) => i,
    };
    Tensor::f32(form.shape(&parameter.shape), (0..numbers.len()).map(|i| numbers[place(i)]).collect())
}

fn add_into(sum: &mut Tensor, tensor: &Tensor) {
    assert_eq!(sum.shape, tensor.shape, "bug in tfc: sums of tensors of different shapes");
    match &mut sum.data {
        Data::F32(sum) => sum.iter_mut().zip(tensor.floats()).for_each(|(s, x)| *s += x),
        Data::I32(_) => panic!("bug in tfc: only f32 is accumulated"),
    }
}
