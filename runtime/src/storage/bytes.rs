//! Bytes in memory or in a mapped file, to those who read them the same.

use crate::{Failure, Result};
use memmap2::Mmap;
use std::borrow::Cow;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;

pub enum Bytes {
    Owned(Vec<u8>),
    Mapped(Mmap),
}

impl Bytes {
    /// Maps a file: nothing is read until it is touched, so it may be larger than memory.
    pub fn map(path: &Path) -> Result<Self> {
        let failure = |error| Failure::io("read", path, &error);
        let file = File::open(path).map_err(failure)?;
        if file.metadata().map_err(failure)?.is_dir() {
            return Err(failure(std::io::ErrorKind::IsADirectory.into()));
        }
        // SAFETY: the map is read-only and we never write files in place (storage/atomic.rs renames). Another process
        // that changes the file under us changes numbers, at worst; one that truncates it ends us with SIGBUS.
        let map = unsafe { Mmap::map(&file) }.map_err(failure)?;
        Ok(Bytes::Mapped(map))
    }
}

/// Numbers as the bytes they are made of, borrowed where they are.
pub fn as_bytes<T: bytemuck::Pod>(values: Cow<'_, [T]>) -> Cow<'_, [u8]> {
    match values {
        Cow::Borrowed(values) => Cow::Borrowed(bytemuck::cast_slice(values)),
        Cow::Owned(values) => Cow::Owned(bytemuck::cast_slice(&values).to_vec()),
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped(map) => map,
        }
    }
}
