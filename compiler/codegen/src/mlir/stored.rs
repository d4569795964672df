//! The elements of a tensor in memory, whatever their type: registers of f32 on the way in and out.

use super::function::Launch;
use super::memory::{Cache, Lanes};
use super::value::{Index, Pointer, Vector};
use tfc_compiler::graph::DType;
use tfc_compiler::kernel::Kernel;

/// Where numbers of a type are.
#[derive(Clone, Copy)]
pub struct Stored<'f> {
    pub pointer: Pointer<'f>,
    pub dtype: DType,
}

impl<'f> Stored<'f> {
    /// An operand of the kernel that is launched, from its first element on.
    pub fn operand(launch: Launch<'f>, kernel: &Kernel, index: usize) -> Stored<'f> {
        Stored { pointer: launch.buffers.load_pointer(index as i64), dtype: kernel.operands[index].dtype }
    }

    /// `offset` elements further.
    pub fn at(self, offset: Index<'f>) -> Stored<'f> {
        let pointer = match self.dtype {
            DType::F32 | DType::I32 => self.pointer.at(offset),
            DType::BF16 => self.pointer.at_bf16(offset),
        };
        Stored { pointer, ..self }
    }

    /// A register from an element on, as f32; 0 in the lanes that are left out, whose memory is not touched.
    pub fn load_lanes(self, offset: Index<'f>, lanes: Lanes<'f>) -> Vector<'f> {
        match self.dtype {
            DType::F32 => self.pointer.load_lanes(offset, lanes),
            DType::BF16 => self.pointer.load_bf16_lanes(offset, lanes),
            DType::I32 => self.pointer.load_int_lanes(offset, lanes).to_float(),
        }
    }

    /// The first element as f32, in every lane.
    pub fn broadcast(self) -> Vector<'f> {
        let first = self.pointer.function().index(0);
        match self.dtype {
            DType::F32 => self.pointer.load(first).splat(),
            DType::I32 => self.pointer.load_int(first).to_float().splat(),
            DType::BF16 => unreachable!("bf16 lie side by side, no single number is one: see `check`"),
        }
    }

    /// Stores a register as what the type has of it: the nearest, of integers the next towards zero.
    pub fn store_lanes(self, offset: Index<'f>, value: Vector<'f>, lanes: Lanes<'f>) {
        match self.dtype {
            DType::F32 => self.pointer.store_lanes(offset, value, lanes),
            DType::BF16 => self.pointer.store_bf16_lanes(offset, value, lanes),
            DType::I32 => self.pointer.store_int_lanes(offset, value.truncate(), lanes),
        }
    }

    /// How many words of four bytes some elements take, if not a half.
    pub fn words(self, elements: Index<'f>) -> Index<'f> {
        elements * self.dtype.bytes() as i64 / 4
    }

    /// Asks for the elements of cache lines from here on, `count` elements.
    pub fn prefetch(self, count: i64, into: Cache, write: bool) {
        let line = LINE_BYTES / self.dtype.bytes() as i64;
        let function = self.pointer.function();
        (0..count).step_by(line as usize).for_each(|first| {
            self.at(function.index(first)).pointer.prefetch(function.index(0), into, write);
        });
    }
}

const LINE_BYTES: i64 = 64;

/// f32.
impl<'f> From<Pointer<'f>> for Stored<'f> {
    fn from(pointer: Pointer<'f>) -> Stored<'f> {
        Stored { pointer, dtype: DType::F32 }
    }
}
