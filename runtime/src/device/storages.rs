//! The storages of a CPU session: named memory that follows the sizes.

use super::memory::Memory;
use super::{HostTensor, overlap, shape_at};
use crate::Result;
use std::collections::BTreeMap;
use std::num::NonZero;
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
    /// Bytes at the largest stage: what grows by rows, grows where it is.
    largest: usize,
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
        let model = &compiled.model;
        let stages: Vec<SizeValues> = (0..model.experiment.stages.len()).map(|i| model.stage_sizes(i)).collect();
        let tensor = |ty: Type| {
            let memory = Memory::new(0).expect("bug in tfc: no memory for nothing");
            let bytes = |sizes: &SizeValues| 4 * shape_at(&ty.shape, sizes).iter().product::<usize>();
            let largest = stages.iter().map(bytes).max().unwrap_or(0);
            Tensor { shape: vec![0; ty.rank()], ty, memory, largest }
        };
        let types: BTreeMap<Storage, Type> = compiled.storages().into_iter().collect();
        let all = types.iter().filter(|(storage, _)| used.contains(storage));
        let tensors = all.map(|(storage, ty)| (*storage, tensor(ty.clone()))).collect();
        Storages { types, tensors }
    }

    /// All or nothing: whatever new memory a tensor needs is made before any is changed.
    pub fn resize(&mut self, sizes: &SizeValues) -> Result<()> {
        let shaped = |(storage, tensor): (&Storage, &'_ Tensor)| (*storage, shape_at(&tensor.ty.shape, sizes));
        let changes = |(storage, shape): &(Storage, Vec<usize>)| self.tensors[storage].changes_to(shape);
        let (in_place, moved): (Vec<_>, Vec<_>) = self
            .tensors
            .iter()
            .map(shaped)
            .filter(changes)
            .partition(|(storage, shape)| self.tensors[storage].has_room_for(shape));
        // Most of the time goes into the kernel's zeroing of new memory: threads share it.
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let tensors = &self.tensors;
        let grow = |part: usize| {
            let share = moved.iter().skip(part).step_by(threads);
            share.map(|(storage, shape)| Ok((*storage, tensors[storage].grown(shape)?))).collect::<Result<Vec<_>>>()
        };
        let grown: Vec<Result<Vec<_>>> = std::thread::scope(|scope| {
            let growing: Vec<_> = (0..threads).map(|part| scope.spawn(move || grow(part))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            growing.into_iter().map(join).collect()
        });
        for (storage, grown) in grown.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten() {
            self.tensors.insert(storage, grown);
        }
        for (storage, shape) in in_place {
            self.tensors.entry(storage).and_modify(|tensor| tensor.resize(shape));
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

impl Tensor {
    fn changes_to(&self, shape: &[usize]) -> bool {
        self.shape != shape || self.memory.len() != 4 * shape.iter().product::<usize>()
    }

    /// Whether only rows come or go, and the memory has room for them.
    fn has_room_for(&self, shape: &[usize]) -> bool {
        shape.get(1..) == self.shape.get(1..) && 4 * shape.iter().product::<usize>() <= self.memory.room()
    }

    fn resize(&mut self, shape: Vec<usize>) {
        self.memory.resize(4 * shape.iter().product::<usize>());
        self.shape = shape;
    }

    /// A tensor of another shape, with what both have and zeros.
    fn grown(&self, shape: &[usize]) -> Result<Tensor> {
        let mut memory = Memory::with_room(4 * shape.iter().product::<usize>(), self.largest)?;
        if self.memory.len() > 0 {
            let (from, to) = (bytemuck::cast_slice::<u8, u32>(self.memory.bytes()), memory.bytes_mut());
            overlap::copy(from, &self.shape, bytemuck::cast_slice_mut(to), shape);
        }
        Ok(Tensor { ty: self.ty.clone(), shape: shape.to_vec(), memory, largest: self.largest })
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
