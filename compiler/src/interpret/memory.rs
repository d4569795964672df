//! The tensors outside a graph, by the names that it knows them by.

use super::{Data, Tensor};
use crate::storage::Storage;
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
    pub(super) fn get(&self, storage: Storage, shape: &[usize]) -> &Tensor {
        let tensor = self.find(storage).unwrap_or_else(|| panic!("bug in tfc: {storage:?} was never set"));
        assert_eq!(tensor.shape, shape, "bug in tfc: {storage:?} has another shape than its load");
        tensor
    }
}

fn add_into(sum: &mut Tensor, tensor: &Tensor) {
    assert_eq!(sum.shape, tensor.shape, "bug in tfc: sums of tensors of different shapes");
    match &mut sum.data {
        Data::F32(sum) => sum.iter_mut().zip(tensor.floats()).for_each(|(s, x)| *s += x),
        Data::I32(_) => panic!("bug in tfc: only f32 is accumulated"),
    }
}
