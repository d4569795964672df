//! Random numbers as a function of seed, stream and index.

use crate::mlir::{Index, Pointer, Vector};

pub fn uniform<'f>(_seed: Pointer<'f>, _stream: u32, _element: Index<'f>) -> Vector<'f> {
    todo!()
}
