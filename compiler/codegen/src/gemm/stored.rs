//! The elements of a matrix in memory.

use crate::mlir::{Index, Pointer};
use tfc_compiler::graph::DType;

/// Where f32 or bf16 are.
#[derive(Clone, Copy)]
pub struct Stored<'f> {
    pub pointer: Pointer<'f>,
    pub dtype: DType,
}

impl<'f> Stored<'f> {
    /// `offset` elements further.
    pub fn at(self, offset: Index<'f>) -> Stored<'f> {
        let pointer = match self.dtype {
            DType::F32 | DType::I32 => self.pointer.at(offset),
            DType::BF16 => self.pointer.at_bf16(offset),
        };
        Stored { pointer, ..self }
    }
}

/// f32.
impl<'f> From<Pointer<'f>> for Stored<'f> {
    fn from(pointer: Pointer<'f>) -> Stored<'f> {
        Stored { pointer, dtype: DType::F32 }
    }
}
