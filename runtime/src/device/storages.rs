//! The storages of a session: named memory that follows the sizes.

use super::engine::{Engine, Growth, Memory};
use super::{Fill, HostTensor, Numbers, shape_at, weights};
use crate::Result;
use bytemuck::allocation::cast_vec;
use bytemuck::cast_slice;
use std::collections::BTreeMap;
use std::ops::Range;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::graph::{DType, Type};
use tfc_compiler::plan::Place;
use tfc_compiler::size::SizeValues;
use tfc_compiler::storage::{Storage, WeightForm};

pub struct Storages<M> {
    /// Of every storage of the model.
    types: BTreeMap<Storage, Type>,
    /// Those that an entry uses.
    tensors: BTreeMap<Storage, Tensor<M>>,
}

struct Tensor<M> {
    ty: Type,
    shape: Vec<usize>,
    memory: M,
    /// Bytes at the largest stage: what grows by rows, grows where it is, if the engine gave it the room.
    largest: usize,
}

impl<M: Memory> Storages<M> {
    /// Those that a plan of the program uses; of no size until [`Storages::resize`].
    ///
    /// # Errors
    /// The device gave up.
    pub fn new(compiled: &Compiled, engine: &impl Engine<Memory = M>) -> Result<Storages<M>> {
        let mut used: Vec<Storage> = Vec::new();
        for buffer in compiled.program.plans.iter().flat_map(|p| &p.buffers) {
            if let Place::Storage(storage) = buffer.place {
                used.push(storage);
            }
        }
        let model = &compiled.model;
        let stages: Vec<SizeValues> = (0..model.experiment.stages.len()).map(|i| model.stage_sizes(i)).collect();
        let tensor = |ty: Type| -> Result<Tensor<M>> {
            let memory = engine.allocate(0, 0)?;
            let bytes = |sizes: &SizeValues| bytes_at(&shape_at(&ty.shape, sizes), ty.dtype);
            let largest = stages.iter().map(bytes).max().unwrap_or(0);
            Ok(Tensor { shape: vec![0; ty.rank()], ty, memory, largest })
        };
        let types: BTreeMap<Storage, Type> = compiled.storages().into_iter().collect();
        let all = types.iter().filter(|(storage, _)| used.contains(storage));
        let tensors = all.map(|(storage, ty)| Ok((*storage, tensor(ty.clone())?))).collect::<Result<_>>()?;
        Ok(Storages { types, tensors })
    }

    /// All or nothing: whatever new memory a tensor needs is made before any is changed.
    ///
    /// # Errors
    /// There is too little memory.
    pub fn resize(&mut self, engine: &impl Engine<Memory = M>, sizes: &SizeValues) -> Result<()> {
        let shaped = |(storage, tensor): (&Storage, &'_ Tensor<M>)| (*storage, shape_at(&tensor.ty.shape, sizes));
        let changes = |(storage, shape): &(Storage, Vec<usize>)| self.tensors[storage].changes_to(shape);
        let (in_place, moved): (Vec<_>, Vec<_>) = self
            .tensors
            .iter()
            .map(shaped)
            .filter(changes)
            .partition(|(storage, shape)| self.tensors[storage].has_room_for(shape));
        let growths: Vec<_> = moved.iter().map(|(storage, shape)| self.tensors[storage].growth(shape)).collect();
        let grown = engine.grow(&growths)?;
        for ((storage, shape), memory) in moved.into_iter().zip(grown) {
            self.tensors.entry(storage).and_modify(|tensor| (tensor.memory, tensor.shape) = (memory, shape));
        }
        for (storage, shape) in in_place {
            self.tensors.get_mut(&storage).map_or(Ok(()), |tensor| tensor.resize(shape))?;
        }
        Ok(())
    }

    pub fn memory(&self, storage: Storage) -> &M {
        &self.tensor(storage).memory
    }

    /// Nothing where no entry uses the storage, or its memory is not the host's.
    pub fn bytes_of(&self, storage: Storage) -> Option<&[u8]> {
        self.tensors.get(&storage)?.memory.on_host()
    }

    /// A parameter of which there is only a weight comes from that. Zeros where no entry uses the storage.
    pub fn read(&self, storage: Storage, sizes: &SizeValues) -> Result<HostTensor> {
        if let Some(tensor) = self.tensors.get(&storage) {
            let mut words = vec![0; tensor.memory.len() / 4];
            tensor.memory.read(bytemuck::cast_slice_mut(&mut words))?;
            return Ok(to_host(words, &tensor.ty, sizes));
        }
        let ty = self.types.get(&storage).unwrap_or_else(|| panic!("bug in tfc: the model has no {storage:?}"));
        let shape = shape_at(&ty.shape, sizes);
        match self.tensors.iter().find_map(|(kept, tensor)| Some((weight_of(storage, *kept)?, tensor))) {
            Some((form, tensor)) => Ok(weights::read(form, &tensor.bytes()?, shape)),
            None => Ok(HostTensor::F32 { data: vec![0.0; shape.iter().product()], shape }),
        }
    }

    /// With a parameter, its weights. Nothing happens where no entry uses the storage.
    pub fn write(&mut self, storage: Storage, host: &HostTensor) -> Result<()> {
        for (kept, tensor) in &mut self.tensors {
            if let Some(form) = weight_of(storage, *kept) {
                let shape = form.shape(host.shape());
                assert_eq!(shape, tensor.shape, "bug in tfc: {kept:?} is written with another shape");
                let mut weight = vec![0; tensor.memory.len()];
                weights::write(form, host, &mut weight);
                tensor.memory.write(0..weight.len(), &mut |place, bytes| bytes.copy_from_slice(&weight[place]))?;
            }
        }
        let Some(tensor) = self.tensors.get_mut(&storage) else { return Ok(()) };
        assert_eq!(host.shape(), tensor.shape, "bug in tfc: {storage:?} is written with another shape");
        fill(&mut tensor.memory, host, tensor.ty.dtype)
    }

    /// Writes some of the numbers, as [`super::Session::fill`]: where they lie, unless there are weights of them.
    pub fn fill(&mut self, storage: Storage, places: Range<usize>, fill: Fill<'_>, sizes: &SizeValues) -> Result<()> {
        let has_weights = self.tensors.keys().any(|kept| weight_of(storage, *kept).is_some());
        match self.tensors.get_mut(&storage).filter(|_| !has_weights) {
            Some(tensor) => tensor.memory.write(4 * places.start..4 * places.end, &mut |part, bytes| {
                fill(part.start / 4, bytemuck::cast_slice_mut(bytes));
            }),
            None => {
                let mut tensor = self.read(storage, sizes)?;
                let mut numbers = vec![0.0; places.len()];
                fill(places.start, &mut numbers);
                tensor.put(places.start, &numbers);
                self.write(storage, &tensor)
            }
        }
    }

    pub fn zero(&mut self, storage: Storage) -> Result<()> {
        let of_it = |kept: Storage| kept == storage || weight_of(storage, kept).is_some();
        let mut tensors = self.tensors.iter_mut().filter(|(kept, _)| of_it(**kept));
        tensors.try_for_each(|(_, tensor)| tensor.memory.zero())
    }

    pub fn bytes(&self) -> u64 {
        self.tensors.values().map(|t| t.memory.len() as u64).sum()
    }

    fn tensor(&self, storage: Storage) -> &Tensor<M> {
        self.tensors.get(&storage).unwrap_or_else(|| panic!("bug in tfc: no compiled entry uses {storage:?}"))
    }
}

impl<M: Memory> Tensor<M> {
    fn changes_to(&self, shape: &[usize]) -> bool {
        self.shape != shape || self.memory.len() != self.bytes_of(shape)
    }

    /// Whether only rows come or go, and the memory has room for them.
    fn has_room_for(&self, shape: &[usize]) -> bool {
        shape.get(1..) == self.shape.get(1..) && self.bytes_of(shape) <= self.memory.room()
    }

    fn resize(&mut self, shape: Vec<usize>) -> Result<()> {
        self.memory.resize(self.bytes_of(&shape))?;
        self.shape = shape;
        Ok(())
    }

    fn growth<'a>(&'a self, shape: &'a [usize]) -> Growth<'a, M> {
        let element_bytes = self.ty.dtype.bytes();
        Growth { from: &self.memory, element_bytes, from_shape: &self.shape, to_shape: shape, room: self.largest }
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.memory.len()];
        self.memory.read(&mut bytes)?;
        Ok(bytes)
    }

    fn bytes_of(&self, shape: &[usize]) -> usize {
        bytes_at(shape, self.ty.dtype)
    }
}

fn bytes_at(shape: &[usize], dtype: DType) -> usize {
    dtype.bytes() * shape.iter().product::<usize>()
}

/// The form of `kept` if it is a weight of the parameter `storage`.
fn weight_of(storage: Storage, kept: Storage) -> Option<WeightForm> {
    match (storage, kept) {
        (Storage::Parameter(i), Storage::Weight(j, form)) if i == j => Some(form),
        _ => None,
    }
}

/// f64 is rounded to f32.
pub fn fill(memory: &mut impl Memory, host: &HostTensor, dtype: DType) -> Result<()> {
    let all = 0..memory.len();
    memory.write(all, &mut |place, bytes| convert(host, dtype, place.start / 4..place.end / 4, bytes))
}

fn convert(host: &HostTensor, dtype: DType, elements: Range<usize>, bytes: &mut [u8]) {
    match (host, dtype) {
        (HostTensor::F32 { data, .. }, DType::F32) => bytes.copy_from_slice(bytemuck::cast_slice(&data[elements])),
        (HostTensor::I32 { data, .. }, DType::I32) => bytes.copy_from_slice(bytemuck::cast_slice(&data[elements])),
        (HostTensor::F64 { data, .. }, DType::F32) => {
            let floats: &mut [f32] = bytemuck::cast_slice_mut(bytes);
            floats.iter_mut().zip(&data[elements]).for_each(|(to, from)| *to = *from as f32);
        }
        (HostTensor::I32 { .. }, DType::F32) | (HostTensor::F32 { .. } | HostTensor::F64 { .. }, DType::I32) => {
            panic!("bug in tfc: a tensor of another type was handed to a device")
        }
        (_, DType::BF16) => panic!("bug in tfc: a weight is written as its parameter"),
    }
}

/// Of the bytes as they are.
pub fn numbers(bytes: &[u8], dtype: DType) -> Numbers<'_> {
    match dtype {
        DType::F32 => Numbers::F32(cast_slice(bytes)),
        DType::I32 => Numbers::I32(cast_slice(bytes)),
        DType::BF16 => panic!("bug in tfc: a weight is read as its parameter"),
    }
}

/// Of the words as they are: nothing is copied.
pub fn to_host(words: Vec<u32>, ty: &Type, sizes: &SizeValues) -> HostTensor {
    let shape = shape_at(&ty.shape, sizes);
    match ty.dtype {
        DType::F32 => HostTensor::F32 { shape, data: cast_vec(words) },
        DType::I32 => HostTensor::I32 { shape, data: cast_vec(words) },
        DType::BF16 => panic!("bug in tfc: a weight is read as its parameter"),
    }
}
