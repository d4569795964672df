//! Devices: places where the entries of a compiled model run.
//!
//! A device opens a [`Session`] on a compiled model. The session owns every tensor that outlives a call ([`Storage`]) and the arena
//! of the rest; the trainer speaks to it in host tensors and names of entries, and knows nothing else of the device.

mod cpu;
mod cuda;
mod cuda_sim;
mod engine;
mod files;
mod host_memory;
mod joined;
mod laps;
mod launch;
mod mapping;
mod on_host;
mod overlap;
mod planned;
mod pool;
mod prepared;
mod reference;
mod storages;
mod tables;
mod view;
mod weights;

pub use cpu::CpuSession;
pub use cuda::{CudaSession, Gpu};
pub use cuda_sim::CudaSimSession;
pub use files::{read_tensor, write_named};
pub use host_memory::{HostMemory, Pages, readable};
pub use laps::CallProfile;

pub use reference::ReferenceSession;
pub use view::{Numbers, TensorView};

use crate::failure::Failure;
use std::ops::Range;
use tfc_compiler::graph::{DType, Input};
use tfc_compiler::precision::Precision;
use tfc_compiler::size::{Size, SizeValues, Symbol};
use tfc_compiler::storage::Storage;

/// A tensor in the memory of the host. A device takes real numbers in either width; the reference device hands out f64, the
/// others f32.
#[derive(Clone, Debug, PartialEq)]
pub enum HostTensor {
    F32 { shape: Vec<usize>, data: Vec<f32> },
    F64 { shape: Vec<usize>, data: Vec<f64> },
    I32 { shape: Vec<usize>, data: Vec<i32> },
}

/// A named tensor handed to or by a call.
pub type Named = (String, HostTensor);

/// Writes numbers of a tensor: it is given the place of the first and overwrites all.
pub type Fill<'a> = &'a mut dyn FnMut(usize, &mut [f32]);

/// An entry that was started on a session.
pub enum Call {
    /// What it has handed back.
    Done(Vec<Named>),
    /// The device is at it; a number of the session's.
    Running(u64),
}

/// One compiled model on one device. Every call leaves the session usable, also after an error.
pub trait Session {
    /// Sets the sizes: lays out the arena anew and resizes every storage whose size has changed, keeping the leading part of
    /// a tensor along the axis that grew and zeroing the rest. Nothing is compiled.
    ///
    /// # Errors
    /// The machine has too little memory; sizes and storages are then as before.
    fn resize(&mut self, sizes: &SizeValues) -> Result<(), Failure>;

    fn sizes(&self) -> &SizeValues;

    /// What the calls to come compute in: the precision of a stage, at first that of the first. The reference device knows none but f64.
    fn set_precision(&mut self, precision: Precision);

    /// Writes a whole storage; its shape must be the present one.
    ///
    /// # Errors
    /// The device gave up.
    fn write(&mut self, storage: Storage, tensor: &HostTensor) -> Result<(), Failure>;

    /// Writes the numbers of a storage that stand in `places`: `fill` is handed one part after the other, each with the place of its first.
    ///
    /// # Errors
    /// The device gave up.
    fn fill(&mut self, storage: Storage, places: Range<usize>, fill: Fill<'_>) -> Result<(), Failure> {
        let mut tensor = self.read(storage)?;
        let mut numbers = vec![0.0; places.len()];
        fill(places.start, &mut numbers);
        tensor.put(places.start, &numbers);
        self.write(storage, &tensor)
    }

    /// A copy of a whole storage.
    ///
    /// # Errors
    /// The device gave up.
    fn read(&self, storage: Storage) -> Result<HostTensor, Failure>;

    /// A whole storage where it lies, for a device whose memory and numbers are those of the host: f32, little-endian.
    fn bytes(&self, _: Storage) -> Option<&[u8]> {
        None
    }

    /// Zeroes a storage.
    ///
    /// # Errors
    /// The device gave up.
    fn zero(&mut self, storage: Storage) -> Result<(), Failure>;

    /// Runs an entry: inputs by name, outputs by name in the entry's order. The batch and the sequence follow from `sizes` that
    /// [`Session::resize`] set; symbols of the call (batch, sequence, capacity) may be overridden by `call` without moving storages.
    fn run(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Result<Vec<Named>, Failure>;

    /// As [`Session::run`], but shows the outputs where they lie, one after the other: a device whose memory is the host's copies nothing,
    /// and logits are large.
    fn run_and_look(
        &mut self,
        entry: &str,
        call: &[(Symbol, i64)],
        inputs: &[Named],
        look: &mut dyn FnMut(&str, TensorView<'_>),
    ) -> Result<(), Failure> {
        self.run(entry, call, inputs)?.iter().for_each(|(name, tensor)| look(name, tensor.view()));
        Ok(())
    }

    /// As [`Session::run`], but its outputs are had with [`Session::finish`]: a device that works by itself goes on meanwhile, and the
    /// next call may be started before.
    fn start(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Result<Call, Failure> {
        self.run(entry, call, inputs).map(Call::Done)
    }

    /// The outputs of a call that was started on this session.
    fn finish(&mut self, call: Call) -> Result<Vec<Named>, Failure> {
        match call {
            Call::Done(outputs) => Ok(outputs),
            Call::Running(_) => panic!("bug in tfc: a call is finished on another session than it was started on"),
        }
    }

    /// The first operation of the entry whose result is not finite although its operands were, in words with its place in the
    /// spec: what went wrong where a loss came out as NaN. Runs the entry once more, slowly.
    fn first_non_finite(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Option<String>;

    /// Bytes of what it holds now.
    fn memory(&self) -> SessionMemory;
}

/// A session that can say how long each operation takes.
pub trait Profiled: Session {
    /// From now on, writes down how long each operation of each call takes.
    fn start_profile(&mut self);

    /// What was written down, when it is done; from now on nothing is.
    ///
    /// # Errors
    /// The device gave up.
    fn take_profile(&mut self) -> Result<Vec<CallProfile>, Failure>;
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionMemory {
    pub storages: u64,
    pub arena: u64,
    /// Of all threads: as much as the greediest launch takes that was prepared.
    pub scratch: u64,
}

impl HostTensor {
    pub fn shape(&self) -> &[usize] {
        match self {
            HostTensor::F32 { shape, .. } | HostTensor::F64 { shape, .. } | HostTensor::I32 { shape, .. } => shape,
        }
    }

    pub fn scalar(value: f64) -> HostTensor {
        HostTensor::F64 { shape: Vec::new(), data: vec![value] }
    }

    /// Replaces real numbers from `place` on.
    pub fn put(&mut self, place: usize, numbers: &[f32]) {
        let places = place..place + numbers.len();
        match self {
            HostTensor::F32 { data, .. } => data[places].copy_from_slice(numbers),
            HostTensor::F64 { data, .. } => {
                data[places].iter_mut().zip(numbers).for_each(|(to, from)| *to = f64::from(*from));
            }
            HostTensor::I32 { .. } => panic!("bug in tfc: real numbers for a tensor of integers"),
        }
    }
}

/// The shape of a tensor at the present sizes.
pub fn shape_at(shape: &[Size], sizes: &SizeValues) -> Vec<usize> {
    shape.iter().map(|s| usize::try_from(s.eval(sizes)).unwrap_or(0)).collect()
}

/// The tensor handed over for an input, if its shape and type are what the entry takes at these sizes.
fn input_of<'a>(input: &Input, sizes: &SizeValues, given: &'a [Named]) -> Result<&'a HostTensor, Failure> {
    let shape = shape_at(&input.ty.shape, sizes);
    let name = &input.name;
    let Some((_, tensor)) = given.iter().find(|(n, _)| n == name) else {
        return Err(Failure::mistake(format!("the input `{name}` {shape:?} is missing")));
    };
    if tensor.shape() != shape {
        let has = tensor.shape();
        return Err(Failure::mistake(format!("the input `{name}` has the shape {has:?}; the entry takes {shape:?}")));
    }
    let whole = matches!(tensor, HostTensor::I32 { .. });
    if whole != (input.ty.dtype == DType::I32) {
        let takes = if whole { "floating-point numbers" } else { "i32" };
        return Err(Failure::mistake(format!("the input `{name}` is of the wrong type; the entry takes {takes}")));
    }
    Ok(tensor)
}
