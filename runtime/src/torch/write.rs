//! Writes a dictionary of tensors as `torch.save` does.

use crate::storage::NewFile;
use crate::{Failure, Result};
use std::borrow::Cow;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A tensor of f32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TorchTensor {
    pub name: String,
    pub shape: Vec<usize>,
}

/// Where PyTorch maps storages without copying them.
const ALIGNMENT: u16 = 64;

/// Writes a file atomically; each tensor has a storage of its own. `bytes(i)` gives the values of `tensors[i]` when their turn comes.
pub fn write_torch<'a>(
    path: &Path,
    tensors: &[TorchTensor],
    mut bytes: impl FnMut(usize) -> Result<Cow<'a, [u8]>>,
) -> Result<()> {
    let failure = |error: io::Error| Failure::io("write", path, &error);
    let mut file = NewFile::create(path)?;
    // An archive that is dropped unfinished writes its end, and says on the standard error that this fails as well.
    let mut zip = ManuallyDrop::new(ZipWriter::new(&mut file));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        // The same tensors give the same bytes, whenever they are written.
        .last_modified_time(DateTime::default())
        .large_file(true)
        .with_alignment(ALIGNMENT);
    let mut member = |name: &str, bytes: &[u8]| -> io::Result<()> {
        zip.start_file(format!("archive/{name}"), options)?;
        zip.write_all(bytes)
    };
    member("data.pkl", &pickle(tensors)).map_err(failure)?;
    member("byteorder", b"little").map_err(failure)?;
    for i in 0..tensors.len() {
        let bytes = bytes(i)?;
        member(&format!("data/{i}"), &bytes).map_err(failure)?;
    }
    member("version", b"3\n").map_err(failure)?;
    ManuallyDrop::into_inner(zip).finish().map_err(|error| failure(error.into()))?;
    file.commit()
}

/// The dictionary, in protocol 2: `{name: _rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, hooks)}`.
fn pickle(tensors: &[TorchTensor]) -> Vec<u8> {
    let mut out = b"\x80\x02}(".to_vec();
    for (i, TorchTensor { name, shape }) in tensors.iter().enumerate() {
        let elements: usize = shape.iter().product();
        let strides: Vec<usize> = (1..=shape.len()).map(|axis| shape[axis..].iter().product()).collect();
        text(&mut out, name);
        out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut out, "storage");
        out.extend(b"ctorch\nFloatStorage\n");
        text(&mut out, &i.to_string());
        text(&mut out, "cpu");
        number(&mut out, elements);
        // The tuple of the storage, as what its owner keeps; the offset.
        out.extend(b"tQ");
        number(&mut out, 0);
        tuple(&mut out, shape);
        tuple(&mut out, &strides);
        // No gradient is asked for, and there are no hooks: an empty OrderedDict.
        out.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    out.extend(b"u.");
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

/// LONG1 with 8 bytes, whatever the number.
fn number(out: &mut Vec<u8>, number: usize) {
    out.extend(b"\x8a\x08");
    out.extend((number as u64).to_le_bytes());
}

fn tuple(out: &mut Vec<u8>, numbers: &[usize]) {
    out.push(b'(');
    numbers.iter().for_each(|n| number(out, *n));
    out.push(b't');
}
