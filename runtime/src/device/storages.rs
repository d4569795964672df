//! The storages of a CPU session: named memory that follows the sizes.

use super::memory::Memory;
use super::{HostTensor, overlap, shape_at};
use crate::Result;
use std::collections::BTreeMap;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::graph::{DType, Type};
use tfc_compiler::plan::Place;
use tfc_compiler::size::SizeValues;
use tfc_compiler::storage::Storage;

pub struct Storages {
    /// Of every storage of the model.
    types: BTreeMap<Storage, Type>,
    /// Those that an entry uses.
    tensors: BTreeMap<Storage, Tensor>,
}

struct Tensor {
    ty: Type,
    shape: Vec<usize>,
    memory: Memory,
}

impl Storages {
    /// Those that a plan of the program uses; of no size until [`Storages::resize`].
    pub fn new(compiled: &Compiled) -> Storages {
        let mut used: Vec<Storage> = Vec::new();
        for buffer in compiled.program.plans.iter().flat_map(|p| &p.buffers) {
            if let Place::Storage(storage) = buffer.place {
                used.push(storage);
            }
        }
        let tensor = |ty: Type| {
            let memory = Memory::new(0).expect("bug in tfc: no memory for nothing");
            Tensor { shape: vec![0; ty.rank()], ty, memory }
        };
        let types: BTreeMap<Storage, Type> = compiled.storages().into_iter().collect();
        let all = types.iter().filter(|(storage, _)| used.contains(storage));
        let tensors = all.map(|(storage, ty)| (*storage, tensor(ty.clone()))).collect();
        Storages { types, tensors }
    }

    /// All or nothing: the new memory of every tensor whose shape changes is made before any is replaced.
    pub fn resize(&mut self, sizes: &SizeValues) -> Result<()> {
        let mut grown = Vec::new();
        for (storage, tensor) in &self.tensors {
            let shape = shape_at(&tensor.ty.shape, sizes);
            let elements: usize = shape.iter().product();
            if shape != tensor.shape || tensor.memory.len() != 4 * elements {
                let mut memory = Memory::new(4 * elements)?;
                let (from, to) = (tensor.memory.bytes(), memory.bytes_mut());
                if !from.is_empty() {
                    let (from, to) = (bytemuck::cast_slice::<u8, u32>(from), bytemuck::cast_slice_mut(to));
                    overlap::copy(from, &tensor.shape, to, &shape);
                }
                grown.push((*storage, shape, memory));
            }
        }
        for (storage, shape, memory) in grown {
            if let Some(tensor) = self.tensors.get_mut(&storage) {
                (tensor.shape, tensor.memory) = (shape, memory);
            }
        }
        Ok(())
    }

    pub fn memory(&self, storage: Storage) -> &Memory {
        &self.tensor(storage).memory
    }

    /// Nothing where no entry uses the storage.
    pub fn bytes_of(&self, storage: Storage) -> Option<&[u8]> {
        self.tensors.get(&storage).map(|tensor| tensor.memory.bytes())
    }

    /// Zeros where no entry uses the storage.
    pub fn read(&self, storage: Storage, sizes: &SizeValues) -> HostTensor {
        match self.tensors.get(&storage) {
            Some(tensor) => to_host(&tensor.memory, &tensor.ty, sizes),
            None => {
                let ty = self.types.get(&storage).unwrap_or_else(|| panic!("bug in tfc: the model has no {storage:?}"));
                let shape = shape_at(&ty.shape, sizes);
                HostTensor::F32 { data: vec![0.0; shape.iter().product()], shape }
            }
        }
    }

    /// Nothing happens where no entry uses the storage.
    pub fn write(&mut self, storage: Storage, host: &HostTensor) {
        let Some(tensor) = self.tensors.get_mut(&storage) else { return };
        assert_eq!(host.shape(), tensor.shape, "bug in tfc: {storage:?} is written with another shape");
        fill(tensor.memory.bytes_mut(), host, tensor.ty.dtype);
    }

    pub fn zero(&mut self, storage: Storage) {
        if let Some(tensor) = self.tensors.get_mut(&storage) {
            tensor.memory.bytes_mut().fill(0);
        }
    }

    pub fn bytes(&self) -> u64 {
        self.tensors.values().map(|t| t.memory.len() as u64).sum()
    }

    fn tensor(&self, storage: Storage) -> &Tensor {
        self.tensors.get(&storage).unwrap_or_else(|| panic!("bug in tfc: no compiled entry uses {storage:?}"))
    }
}

/// f64 is rounded to f32.
pub fn fill(bytes: &mut [u8], host: &HostTensor, dtype: DType) {
    match (host, dtype) {
        (HostTensor::F32 { data, .. }, DType::F32) => bytes.copy_from_slice(bytemuck::cast_slice(data)),
        (HostTensor::I32 { data, .. }, DType::I32) => bytes.copy_from_slice(bytemuck::cast_slice(data)),
        (HostTensor::F64 { data, .. }, DType::F32) => {
            let floats: &mut [f32] = bytemuck::cast_slice_mut(bytes);
            floats.iter_mut().zip(data).for_each(|(to, from)| *to = *from as f32);
        }
        (HostTensor::I32 { .. }, DType::F32) | (HostTensor::F32 { .. } | HostTensor::F64 { .. }, DType::I32) => {
            panic!("bug in tfc: a tensor of another type was handed to a device")
        }
    }
}

pub fn to_host(memory: &Memory, ty: &Type, sizes: &SizeValues) -> HostTensor {
    let shape = shape_at(&ty.shape, sizes);
    match ty.dtype {
        DType::F32 => HostTensor::F32 { shape, data: bytemuck::cast_slice(memory.bytes()).to_vec() },
        DType::I32 => HostTensor::I32 { shape, data: bytemuck::cast_slice(memory.bytes()).to_vec() },
    }
}
