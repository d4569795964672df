//! IDX files: two zero bytes, the type, the number of axes, their lengths as big-endian 32-bit numbers, the values.
//! From <http://yann.lecun.com/exdb/mnist/>.

use crate::storage::Bytes;
use crate::{Failure, Result};
use std::path::{Path, PathBuf};

/// The type byte of unsigned bytes, the only one that images and labels have.
const UNSIGNED_BYTE: u8 = 8;

/// A mapped array of bytes.
pub(super) struct Idx {
    pub path: PathBuf,
    pub shape: Vec<usize>,
    bytes: Bytes,
    /// Where the values start.
    start: usize,
}

impl Idx {
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = Bytes::map(path)?;
        let broken = |what: String| Failure::broken(path, what);
        let axes = match bytes[..] {
            [0, 0, UNSIGNED_BYTE, axes, ..] => usize::from(axes),
            [0, 0, kind, _, ..] => {
                return Err(broken(format!(
                    "has values of IDX type {kind}, but images and labels are bytes (8); convert it"
                )));
            }
            [0x1F, 0x8B, ..] => return Err(broken("is compressed; unpack it with `gunzip`".into())),
            _ => {
                return Err(broken(
                    "is not an IDX file (it does not start with two zero bytes); name another file".into(),
                ));
            }
        };
        let start = 4 + 4 * axes;
        let truncated = || broken("is truncated; copy it again".into());
        let lengths = bytes.get(4..start).ok_or_else(truncated)?.chunks_exact(4);
        let shape: Vec<usize> = lengths.map(|n| u32::from_be_bytes([n[0], n[1], n[2], n[3]]) as usize).collect();
        let count = shape.iter().try_fold(1usize, |count, &length| count.checked_mul(length));
        match count.and_then(|count| count.checked_add(start)) {
            Some(length) if length == bytes.len() => Ok(Idx { path: path.to_owned(), shape, bytes, start }),
            Some(length) if length < bytes.len() => {
                Err(broken(format!("has {} bytes after its last value; copy it again", bytes.len() - length)))
            }
            _ => Err(truncated()),
        }
    }

    /// All values, row-major.
    pub fn values(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}
