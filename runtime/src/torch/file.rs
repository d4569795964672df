//! The tensors of a file of PyTorch.

use super::archive::{self, Member};
use super::pickle;
use super::views::{View, views};
use crate::storage::{Bytes, Dtype};
use crate::{Failure, Result};
use half::{bf16, f16};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// An open `pytorch_model.bin`, or whatever else `torch.save` made of a dictionary of tensors.
pub struct TorchFile {
    path: PathBuf,
    bytes: Bytes,
    members: BTreeMap<String, Member>,
    tensors: BTreeMap<String, View>,
}

impl TorchFile {
    /// Maps the file and reads its pickle, without running anything of it. Every tensor lies in the file.
    pub fn open(path: &Path) -> Result<TorchFile> {
        TorchFile::of(path, Bytes::map(path)?)
    }

    pub(super) fn of(path: &Path, bytes: Bytes) -> Result<TorchFile> {
        let broken = |what: String| Failure::broken(path, what);
        let members = members(&bytes).map_err(broken)?;
        let tensors = tensors(&bytes, &members).map_err(broken)?;
        Ok(TorchFile { path: path.to_owned(), bytes, members, tensors })
    }

    /// Names and shapes, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, view)| (name.as_str(), view.shape.as_slice()))
    }

    /// Reads every storage once and compares its checksum.
    ///
    /// # Errors
    /// One of them is damaged.
    pub fn verify(&self) -> Result<()> {
        let storages: BTreeSet<&str> = self.tensors.values().map(|view| view.storage.as_str()).collect();
        let broken = |storage: &&str| !archive::is_whole(&self.bytes, &self.members[&member(storage)]);
        match storages.into_iter().find(broken) {
            None => Ok(()),
            Some(storage) => {
                let what = format!(
                    "is damaged, or was saved without checksums: that of its storage `{storage}` is another one; copy or save it again"
                );
                Err(Failure::broken(&self.path, what))
            }
        }
    }

    /// A tensor of floats in row-major order, as the little-endian bytes of f32. It is borrowed from the file where it is of f32 there;
    /// 16-bit floats lose nothing.
    pub fn floats(&self, name: &str) -> Result<Cow<'_, [u8]>> {
        let missing = || Failure::broken(&self.path, format_args!("has no tensor `{name}`"));
        let view = self.tensors.get(name).ok_or_else(missing)?;
        let bytes = &self.bytes[place(view, &self.members[&member(&view.storage)].bytes)];
        match view.dtype {
            Dtype::F32 => Ok(Cow::Borrowed(bytes)),
            Dtype::F16 => Ok(widened(bytes, |half| f16::from_le_bytes(half).to_f32())),
            Dtype::BF16 => Ok(widened(bytes, |half| bf16::from_le_bytes(half).to_f32())),
            other => {
                let what = format!("holds `{name}` as {other}; weights are F32, F16 or BF16: convert it");
                Err(Failure::broken(&self.path, what))
            }
        }
    }
}

fn widened(halves: &[u8], widen: impl Fn([u8; 2]) -> f32) -> Cow<'static, [u8]> {
    halves.chunks_exact(2).flat_map(|half| widen([half[0], half[1]]).to_le_bytes()).collect()
}

fn members(bytes: &[u8]) -> std::result::Result<BTreeMap<String, Member>, String> {
    match bytes {
        [] => Err("is empty; write or copy it again".into()),
        [b'P', b'K', 3, 4, ..] => archive::members(bytes),
        [0x80, 2..=5, ..] => {
            Err("is of a PyTorch before 1.6; load it in a newer one, check it, and `torch.save` it again".into())
        }
        _ => Err("is no file of PyTorch; name the `pytorch_model.bin` or DeepSpeed's `…_model_states.pt`".into()),
    }
}

/// The tensors, each of which lies in its storage.
fn tensors(bytes: &[u8], members: &BTreeMap<String, Member>) -> std::result::Result<BTreeMap<String, View>, String> {
    if members.get("byteorder").is_some_and(|order| &bytes[order.bytes.clone()] == b"big") {
        return Err("was written by a big-endian machine; load and save it on another".into());
    }
    let pickle = members.get("data.pkl").ok_or("is a zip archive, but has no `data.pkl` as those of PyTorch do")?;
    let tensors = views(&pickle::parse(&bytes[pickle.bytes.clone()])?)?;
    let lies = |view: &View| {
        let storage = members.get(&member(&view.storage));
        storage.is_some_and(|storage| place(view, &storage.bytes).end <= storage.bytes.end)
    };
    match tensors.iter().find(|(_, view)| !lies(view)) {
        None => Ok(tensors),
        Some((name, _)) => Err(format!("lacks the storage of `{name}`, or a part of it; copy it again")),
    }
}

/// The name of a storage in the archive.
fn member(storage: &str) -> String {
    format!("data/{storage}")
}

/// Where a tensor lies in the file, its storage being there.
fn place(view: &View, storage: &Range<usize>) -> Range<usize> {
    let size = view.dtype.bitsize() / 8;
    let start = storage.start.saturating_add(view.offset.saturating_mul(size));
    start..start.saturating_add(view.elements.saturating_mul(size))
}
