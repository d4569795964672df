//! Named tensors in safetensors files: mapped for reading, written one tensor at a time.

use super::{Bytes, NewFile};
use crate::{Failure, Result};
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

#[cfg(target_endian = "big")]
compile_error!("safetensors files are little-endian and are read without conversion");

/// The size of the length that starts a file.
const PREFIX: usize = 8;

/// A number that a tensor file can hold.
pub trait Element: bytemuck::Pod {
    const DTYPE: Dtype;
}

impl Element for f32 {
    const DTYPE: Dtype = Dtype::F32;
}

impl Element for f64 {
    const DTYPE: Dtype = Dtype::F64;
}

impl Element for i32 {
    const DTYPE: Dtype = Dtype::I32;
}

/// An open safetensors file.
pub struct TensorFile {
    path: PathBuf,
    bytes: Bytes,
    header: Metadata,
    /// Where the first tensor starts.
    start: usize,
}

impl TensorFile {
    /// Maps the file and checks that its header describes exactly the bytes that follow.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = Bytes::map(path)?;
        let (length, header) = SafeTensors::read_metadata(&bytes).map_err(|error| explain(path, &bytes, &error))?;
        Ok(TensorFile { path: path.to_owned(), bytes, header, start: PREFIX + length })
    }

    /// All names, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.header.offset_keys();
        names.sort();
        names
    }

    /// What the file says of itself under `key`, beside the tensors.
    pub fn note(&self, key: &str) -> Option<&str> {
        self.header.metadata().as_ref()?.get(key).map(String::as_str)
    }

    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.info(name)?.shape)
    }

    pub fn dtype(&self, name: &str) -> Result<Dtype> {
        Ok(self.info(name)?.dtype)
    }

    /// A tensor in row-major order; borrowed from the file unless that is misaligned.
    pub fn values<T: Element>(&self, name: &str) -> Result<Cow<'_, [T]>> {
        let info = self.info(name)?;
        if info.dtype != T::DTYPE {
            let place = format!("tensor `{name}` of `{}`", self.path.display());
            return Err(Failure::mistake(format!("{place} is {}, but {} is needed; convert it", info.dtype, T::DTYPE)));
        }
        let (from, to) = info.data_offsets;
        let bytes = &self.bytes[self.start + from..self.start + to];
        Ok(match bytemuck::try_cast_slice(bytes) {
            Ok(values) => Cow::Borrowed(values),
            Err(_) => Cow::Owned(bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()),
        })
    }

    fn info(&self, name: &str) -> Result<&TensorInfo> {
        let missing =
            || Failure::broken(&self.path, format_args!("has no tensor `{name}`; `tfc inspect` lists what it has"));
        self.header.info(name).ok_or_else(missing)
    }
}

fn explain(path: &Path, bytes: &[u8], error: &SafeTensorError) -> Failure {
    match error {
        _ if bytes.is_empty() => Failure::broken(path, "is empty; write or copy it again"),
        // The header is sound, the tensors it promises are not all there.
        SafeTensorError::MetadataIncompleteBuffer => Failure::broken(
            path,
            "does not have the length its header promises, it is probably truncated; copy it again",
        ),
        _ => Failure::broken(
            path,
            format_args!("is not a sound safetensors file ({error}); check that it is one and copy it again"),
        ),
    }
}

/// What a tensor file says of one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorEntry {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
}

#[derive(Serialize)]
struct Header<'a> {
    #[serde(rename = "__metadata__", skip_serializing_if = "BTreeMap::is_empty")]
    notes: &'a BTreeMap<String, String>,
    #[serde(flatten)]
    tensors: BTreeMap<&'a str, TensorInfo>,
}

/// Writes a file atomically. `bytes(i)` gives the little-endian values of `entries[i]` when their turn comes, so that
/// no more than one tensor has to be fetched from a device at a time.
///
/// # Panics
/// If two entries have one name, or `bytes` gives another length than dtype and shape say.
pub fn write_tensors<'a>(
    path: &Path,
    notes: &BTreeMap<String, String>,
    entries: &[TensorEntry],
    mut bytes: impl FnMut(usize) -> Result<Cow<'a, [u8]>>,
) -> Result<()> {
    // Wide types first: then every tensor is aligned to its type.
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(entries[i].dtype.bitsize()), &entries[i].name));

    let mut tensors = BTreeMap::new();
    let mut end = 0;
    for TensorEntry { name, dtype, shape } in order.iter().map(|&i| &entries[i]) {
        let start = end;
        end += shape.iter().product::<usize>() * dtype.bitsize() / 8;
        let info = TensorInfo { dtype: *dtype, shape: shape.clone(), data_offsets: (start, end) };
        assert!(tensors.insert(name.as_str(), info).is_none(), "two tensors are named `{name}`");
    }
    let mut header =
        serde_json::to_vec(&Header { notes, tensors: tensors.clone() }).expect("names and numbers are JSON");
    header.resize(header.len().next_multiple_of(PREFIX), b' ');

    let mut file = NewFile::create(path)?;
    let mut write = |bytes: &[u8]| file.write_all(bytes).map_err(|error| file.failure(&error));
    write(&(header.len() as u64).to_le_bytes())?;
    write(&header)?;
    for i in order {
        let (start, end) = tensors[entries[i].name.as_str()].data_offsets;
        let bytes = bytes(i)?;
        assert_eq!(bytes.len(), end - start, "bytes of tensor `{}`", entries[i].name);
        write(&bytes)?;
    }
    file.commit()
}

#[cfg(test)]
mod tests;
