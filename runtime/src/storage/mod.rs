//! Files that are whole or not there: atomic writing, mapped reading, and named tensors in safetensors files.

mod atomic;
mod bytes;
mod tensors;

pub use atomic::{NewFile, NewFolder};
pub use bytes::{Bytes, as_bytes};
pub use safetensors::Dtype;
pub use tensors::{Element, TensorEntry, TensorFile, write_tensors};

use crate::{Failure, Result};
use std::path::Path;

/// A whole text file. A file that is not UTF-8 is refused with the offset of the first bad byte.
pub fn read_text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| Failure::io("read", path, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        Failure::broken(
            path,
            format_args!("is not UTF-8 text (byte {offset} is no part of a character); convert it to UTF-8"),
        )
    })
}
