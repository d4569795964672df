//! Host tensors from and to safetensors files.

use super::{HostTensor, Named};
use crate::storage::{Dtype, TensorEntry, TensorFile, write_tensors};
use crate::{Failure, Result};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

/// One tensor of the file at `path`.
///
/// # Errors
/// There is none of that name, or its numbers are of a type that no model takes.
pub fn read_tensor(path: &Path, file: &TensorFile, name: &str) -> Result<HostTensor> {
    let shape = file.shape(name)?.to_vec();
    match file.dtype(name)? {
        Dtype::F32 => Ok(HostTensor::F32 { shape, data: file.values(name)?.into_owned() }),
        Dtype::F64 => Ok(HostTensor::F64 { shape, data: file.values(name)?.into_owned() }),
        Dtype::I32 => Ok(HostTensor::I32 { shape, data: file.values(name)?.into_owned() }),
        other => Err(Failure::broken(path, format!("holds `{name}` as {other:?}; write it as F32, F64 or I32"))),
    }
}

/// Writes tensors under their names, atomically.
pub fn write_named(path: &Path, tensors: &[Named]) -> Result<()> {
    let entry = |(name, tensor): &Named| {
        let dtype = match tensor {
            HostTensor::F32 { .. } => Dtype::F32,
            HostTensor::F64 { .. } => Dtype::F64,
            HostTensor::I32 { .. } => Dtype::I32,
        };
        TensorEntry { name: name.clone(), dtype, shape: tensor.shape().to_vec() }
    };
    let entries: Vec<TensorEntry> = tensors.iter().map(entry).collect();
    write_tensors(path, &BTreeMap::new(), &entries, |i| Ok(Cow::Borrowed(bytes(&tensors[i].1))))
}

fn bytes(tensor: &HostTensor) -> &[u8] {
    match tensor {
        HostTensor::F32 { data, .. } => bytemuck::cast_slice(data),
        HostTensor::F64 { data, .. } => bytemuck::cast_slice(data),
        HostTensor::I32 { data, .. } => bytemuck::cast_slice(data),
    }
}
