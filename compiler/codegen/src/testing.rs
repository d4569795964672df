//! What the tests share: a module emitted, loaded and called.

use crate::compile::Compiler;
use crate::load::LoadedObjects;
use crate::mlir::Emission;
use crate::vectors::Vectors;
use std::ops::Range;

/// Every register width that this machine can run. The numbers a narrower machine computes may differ, its code paths may not.
pub fn all_vectors() -> Vec<Vectors> {
    let all = [Vectors::AVX512, Vectors::AVX2, Vectors::NEON, Vectors::SSE2];
    all.into_iter().filter(|v| v.width <= Vectors::host().width).collect()
}

pub struct Jit(LoadedObjects);

/// A buffer handed to a kernel.
pub enum Buffer<'a> {
    F32(&'a mut [f32]),
    I32(&'a mut [i32]),
}

impl Jit {
    pub fn new(vectors: Vectors, emit: impl FnOnce(&Emission)) -> Jit {
        let object = Compiler::new(vectors).and_then(|c| c.object(emit)).expect("the module compiles");
        Jit(LoadedObjects::new(&[&object]).expect("the object loads"))
    }

    pub fn run(&self, name: &str, buffers: &mut [Buffer], sizes: &[i64], items: Range<i64>, scratch_bytes: usize) {
        let address = self.0.address(name).expect("the function is there");
        // SAFETY: the address is that of a function with the launch ABI, alive as long as `self`.
        let call: extern "C" fn(*const *mut u8, *const i64, i64, i64, *mut u8) =
            unsafe { std::mem::transmute(address) };
        let pointers: Vec<*mut u8> = buffers
            .iter_mut()
            .map(|b| match b {
                Buffer::F32(slice) => slice.as_mut_ptr().cast(),
                Buffer::I32(slice) => slice.as_mut_ptr().cast(),
            })
            .collect();
        // Aligned like the runtime's: to a cache line.
        let mut scratch = vec![f32::NAN; scratch_bytes / 4 + 16];
        let offset = scratch.as_ptr().align_offset(64);
        call(pointers.as_ptr(), sizes.as_ptr(), items.start, items.end, scratch[offset..].as_mut_ptr().cast());
    }
}
