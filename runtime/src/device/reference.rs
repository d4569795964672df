//! The reference device: the f64 interpreter, entry by entry. Slow and obvious: what every other device is tested against.

use super::{HostTensor, Named, Session, SessionMemory, input_of, shape_at};
use crate::Result;
use std::collections::BTreeMap;
use std::sync::Arc;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::graph::{DType, Graph, Type};
use tfc_compiler::interpret::{self, Data, Memory, Tensor};
use tfc_compiler::precision::Precision;
use tfc_compiler::size::{SizeValues, Symbol};
use tfc_compiler::storage::Storage;

pub struct ReferenceSession {
    compiled: Arc<Compiled>,
    types: BTreeMap<Storage, Type>,
    sizes: SizeValues,
    memory: Memory,
}

impl ReferenceSession {
    /// Sizes and storages come with the first [`Session::resize`].
    pub fn new(compiled: Arc<Compiled>) -> ReferenceSession {
        let types = compiled.storages().into_iter().collect();
        let sizes = SizeValues::new(&compiled.model.symbols);
        ReferenceSession { types, sizes, memory: Memory::default(), compiled }
    }

    fn graph(&self, entry: &str) -> &Graph {
        self.compiled.graph(entry).unwrap_or_else(|| panic!("bug in tfc: entry `{entry}` was not compiled"))
    }

    fn call_sizes(&self, call: &[(Symbol, i64)]) -> SizeValues {
        let mut sizes = self.sizes.clone();
        call.iter().for_each(|(symbol, value)| sizes.set(*symbol, *value));
        sizes
    }

    fn set_inputs(&mut self, entry: &str, sizes: &SizeValues, inputs: &[Named]) -> Result<()> {
        let wanted = self.graph(entry).inputs.clone();
        for (index, input) in wanted.iter().enumerate() {
            let tensor = to_tensor(input_of(input, sizes, inputs)?);
            self.memory.set(Storage::Input(index as u32), tensor);
        }
        Ok(())
    }
}

impl Session for ReferenceSession {
    fn resize(&mut self, sizes: &SizeValues) -> Result<()> {
        for (storage, ty) in &self.types {
            let mut grown = Tensor::zeros(ty.dtype, shape_at(&ty.shape, sizes));
            if let Some(old) = self.memory.remove(*storage) {
                copy_overlap(&old, &mut grown);
            }
            self.memory.set(*storage, grown);
        }
        self.sizes = sizes.clone();
        Ok(())
    }

    fn sizes(&self) -> &SizeValues {
        &self.sizes
    }

    fn set_precision(&mut self, _: Precision) {}

    fn write(&mut self, storage: Storage, tensor: &HostTensor) -> Result<()> {
        let shape = shape_at(&self.types[&storage].shape, &self.sizes);
        assert_eq!(tensor.shape(), shape, "bug in tfc: {storage:?} is written with another shape");
        self.memory.set(storage, to_tensor(tensor));
        Ok(())
    }

    fn read(&self, storage: Storage) -> Result<HostTensor> {
        let tensor = self.memory.find(storage);
        Ok(to_host(tensor.unwrap_or_else(|| panic!("bug in tfc: {storage:?} was read before any resize"))))
    }

    fn zero(&mut self, storage: Storage) -> Result<()> {
        let ty = &self.types[&storage];
        self.memory.set(storage, Tensor::zeros(ty.dtype, shape_at(&ty.shape, &self.sizes)));
        Ok(())
    }

    fn run(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Result<Vec<Named>> {
        let sizes = self.call_sizes(call);
        self.set_inputs(entry, &sizes, inputs)?;
        let compiled = Arc::clone(&self.compiled);
        let graph = compiled.graph(entry).expect("bug in tfc: the entry was there for its inputs");
        interpret::interpret(graph, &sizes, &mut self.memory);
        let handed_back = graph.outputs.iter().filter(|o| matches!(o.target, Storage::Output(_)));
        Ok(handed_back
            .map(|o| (o.name.clone(), to_host(self.memory.find(o.target).expect("it was just written"))))
            .collect())
    }

    fn first_non_finite(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Option<String> {
        let sizes = self.call_sizes(call);
        self.set_inputs(entry, &sizes, inputs).ok()?;
        let found = interpret::first_non_finite(self.graph(entry), &sizes, &self.memory)?;
        let place = found.origin.path.map(|path| format!(" of `{path}`")).unwrap_or_default();
        Some(format!("{:?}{place}", found.op))
    }

    fn memory(&self) -> SessionMemory {
        let bytes = |storage: &Storage| self.memory.find(*storage).map_or(0, |t| 8 * t.shape.iter().product::<usize>());
        SessionMemory { storages: self.types.keys().map(|s| bytes(s) as u64).sum(), arena: 0, scratch: 0 }
    }
}

/// f32 is widened.
fn to_tensor(host: &HostTensor) -> Tensor {
    match host {
        HostTensor::F32 { shape, data } => Tensor::f32(shape.clone(), data.iter().map(|x| f64::from(*x)).collect()),
        HostTensor::F64 { shape, data } => Tensor::f32(shape.clone(), data.clone()),
        HostTensor::I32 { shape, data } => Tensor::i32(shape.clone(), data.clone()),
    }
}

fn to_host(tensor: &Tensor) -> HostTensor {
    match &tensor.data {
        Data::F32(data) => HostTensor::F64 { shape: tensor.shape.clone(), data: data.clone() },
        Data::I32(data) => HostTensor::I32 { shape: tensor.shape.clone(), data: data.clone() },
    }
}

/// Copies what both shapes have; storages are f32.
fn copy_overlap(old: &Tensor, new: &mut Tensor) {
    if old.dtype() != DType::F32 || old.shape.len() != new.shape.len() {
        return;
    }
    let (old_shape, new_shape) = (old.shape.clone(), new.shape.clone());
    let Data::F32(to) = &mut new.data else { return };
    super::overlap::copy(old.floats(), &old_shape, to, &new_shape);
}
