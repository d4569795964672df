//! What the tests share: modules loaded and called, and kernels held against their meaning, on this processor and on a simulated GPU.

mod gpu;

use crate::compile::Compiler;
use crate::kernels;
use crate::load::LoadedObjects;
use crate::mlir::Emission;
use crate::processor::Processor;
use crate::vectors::Vectors;
pub use gpu::GpuTrial;
use std::ops::Range;
use tfc_compiler::graph::DType;
use tfc_compiler::kernel::{Access, Division, Kernel, evaluate_buffers};
use tfc_compiler::optimization::Disabled;
use tfc_compiler::precision::Precision;

/// Every register width that this machine can run: each is another path through the emitters.
pub fn all_vectors() -> Vec<Vectors> {
    // What AVX-512 is like without it, AVX512_BF16 shows.
    let embedded = Vectors { embedded_broadcast: true, ..Vectors::AVX512 };
    let all = [Vectors::AMX, Vectors::AVX512_BF16, embedded, Vectors::AVX2, Vectors::NEON, Vectors::SSE2];
    let host = Vectors::host();
    all.into_iter().filter(|v| v.width <= host.width && v.bf16 <= host.bf16 && v.tiles <= host.tiles).collect()
}

pub struct Jit(LoadedObjects);

/// A buffer handed to a kernel.
pub enum Buffer<'a> {
    F32(&'a mut [f32]),
    BF16(&'a mut [u16]),
    I32(&'a mut [i32]),
    /// What threads share.
    Shared(&'a mut [u8]),
}

/// Memory full of NaN: nothing may be read before it is written.
fn unwritten(bytes: usize) -> Vec<u8> {
    vec![UNWRITTEN; bytes + LINE]
}

const UNWRITTEN: u8 = 0xff;
/// Bytes that nobody may write to, behind what somebody may.
const BEHIND: usize = 1 << 14;

/// From where it is aligned to a cache line, like the runtime's.
fn of_a_line(memory: &mut [u8]) -> &mut [u8] {
    let offset = memory.as_ptr().align_offset(LINE);
    &mut memory[offset..]
}

const LINE: usize = 64;

impl Jit {
    pub fn new(vectors: Vectors, emit: impl FnOnce(&Emission)) -> Jit {
        Jit::without(&Disabled::default(), vectors, emit)
    }

    pub fn without(disabled: &Disabled, vectors: Vectors, emit: impl FnOnce(&Emission)) -> Jit {
        let mut processor = Processor::host().without(disabled);
        processor.vectors = vectors;
        let object = Compiler::new(&processor).and_then(|c| c.object(emit)).expect("the module compiles");
        Jit(LoadedObjects::new(&[&object]).expect("the object loads"))
    }

    /// Memory that threads share is the last of the buffers, where they share any.
    pub fn run(&self, name: &str, buffers: &mut [Buffer], sizes: &[i64], items: Range<i64>, scratch_bytes: usize) {
        let address = self.0.address(name).expect("the function is there");
        // SAFETY: the address is that of a function with the launch ABI, alive as long as `self`.
        let call: extern "C" fn(*const *mut u8, *const i64, i64, i64, *mut u8) =
            unsafe { std::mem::transmute(address) };
        let pointers: Vec<*mut u8> = buffers
            .iter_mut()
            .map(|b| match b {
                Buffer::F32(slice) => slice.as_mut_ptr().cast(),
                Buffer::BF16(slice) => slice.as_mut_ptr().cast(),
                Buffer::I32(slice) => slice.as_mut_ptr().cast(),
                Buffer::Shared(memory) => memory.as_mut_ptr(),
            })
            .chain([std::ptr::null_mut()])
            .collect();
        let mut scratch = unwritten(scratch_bytes + BEHIND);
        let scratch = of_a_line(&mut scratch);
        call(pointers.as_ptr(), sizes.as_ptr(), items.start, items.end, scratch.as_mut_ptr());
        let behind = &scratch[scratch_bytes..][..BEHIND];
        assert!(behind == [UNWRITTEN; BEHIND], "more than {scratch_bytes} bytes of scratch are written");
    }
}

/// One kernel, compiled for one register width.
pub struct Trial {
    kernel: Kernel,
    vectors: Vectors,
    jit: Jit,
    /// The same without any optimization of code that can be switched off.
    plain: Jit,
    /// Of one of all register widths.
    gpu: Option<GpuTrial>,
}

impl Trial {
    pub fn new(kernel: &Kernel, vectors: Vectors) -> Trial {
        let once = all_vectors().first() == Some(&vectors);
        let gpu = if once { GpuTrial::new(kernel) } else { None };
        Trial { gpu, ..Trial::on_this_processor(kernel, vectors) }
    }

    /// Not on a GPU: for kernels that are more exact there.
    pub fn on_this_processor(kernel: &Kernel, vectors: Vectors) -> Trial {
        kernels::check(kernel).expect("a well-formed kernel");
        let jit =
            |disabled: &Disabled| Jit::without(disabled, vectors, |emission| kernels::emit(emission, "kernel", kernel));
        let (jit, plain) = (jit(&Disabled::default()), jit(&Disabled::code()));
        Trial { kernel: kernel.clone(), vectors, jit, plain, gpu: None }
    }

    /// Runs the kernel on `buffers` and holds what it writes against the f64 evaluation: each number within `tolerance` of the
    /// largest of its buffer. Then once more with the work items one by one, backwards: nothing may change, to the bit.
    pub fn check(&self, buffers: &[Vec<f64>], sizes: &[i64], tolerance: f64) {
        self.check_within(buffers, sizes, |largest| tolerance * largest);
    }

    /// The same, `allowed` telling the error that the largest of a buffer allows.
    pub fn check_within(&self, buffers: &[Vec<f64>], sizes: &[i64], allowed: impl Fn(f64) -> f64) {
        self.check_against(&truth(&self.kernel, buffers, sizes), buffers, sizes, allowed);
    }

    /// The same where the evaluation is at hand.
    pub fn check_against(&self, truth: &[Vec<f64>], buffers: &[Vec<f64>], sizes: &[i64], allowed: impl Fn(f64) -> f64) {
        if let Some(gpu) = &self.gpu
            && buffers.iter().map(Vec::len).sum::<usize>() <= gpu::MOST_NUMBERS
        {
            gpu.check_against(truth, buffers, sizes, &allowed);
        }
        let items = self.kernel.extent(sizes);
        let whole = self.run(&self.jit, buffers, None, sizes, std::iter::once(0..items));
        let divided = self.run(&self.jit, buffers, None, sizes, (0..items).rev().map(|i| i..i + 1));
        let plain = self.run(&self.plain, buffers, None, sizes, std::iter::once(0..items));
        for (b, operand) in self.kernel.operands.iter().enumerate() {
            assert_eq!(bits(&whole[b]), bits(&divided[b]), "operand {b} depends on the division, sizes {sizes:?}");
            if operand.access == Access::Read {
                continue;
            }
            let largest = truth[b].iter().fold(0f64, |m, x| m.max(x.abs()));
            for (how, results) in [("", &whole), (" without optimizations", &plain)] {
                for (i, (got, want)) in results[b].iter().zip(&truth[b]).enumerate() {
                    let error = (f64::from(*got) - want).abs();
                    assert!(
                        error <= allowed(largest) || want.is_nan() && got.is_nan(),
                        "operand {b}[{i}] is {got}, not {want}, with sizes {sizes:?} at width {}{how}: {:?}",
                        self.vectors.width,
                        self.kernel.body
                    );
                }
            }
        }
    }

    /// Where threads share memory, the work items one by one, backwards, write what they write where none do, to the bit.
    pub fn check_sharing(&self, buffers: &[Vec<f64>], sizes: &[i64]) {
        let Division { preparation, items, .. } = self.division(sizes);
        assert!(preparation > 0, "nothing is shared, sizes {sizes:?}");
        let one_by_one = |items: Range<i64>| items.rev().map(|i| i..i + 1);
        let mut memory = unwritten(self.room(sizes));
        let room = of_a_line(&mut memory);
        // What a preparation does not read may not be there yet.
        let is_there = self.kernel.prepared_operands();
        let poison = |(operand, buffer): (usize, &Vec<f64>)| match is_there.contains(&operand) {
            true => buffer.clone(),
            false => vec![f64::NAN; buffer.len()],
        };
        let before: Vec<Vec<f64>> = buffers.iter().enumerate().map(poison).collect();
        self.run(&self.jit, &before, Some(room), sizes, one_by_one(-preparation..0));
        let shared = self.run(&self.jit, buffers, Some(room), sizes, one_by_one(0..items));
        let alone = self.run(&self.jit, buffers, None, sizes, std::iter::once(0..self.kernel.extent(sizes)));
        for (b, (shared, alone)) in shared.iter().zip(&alone).enumerate() {
            assert_eq!(bits(shared), bits(alone), "operand {b} depends on sharing, sizes {sizes:?}");
        }
    }

    /// What threads make for each other fills the room that there is for it, up to a register of steps of the last panel and the line behind it.
    pub fn check_room(&self, buffers: &[Vec<f64>], sizes: &[i64]) {
        let preparation = self.division(sizes).preparation;
        let room = self.room(sizes);
        let mut memory = unwritten(room + BEHIND);
        let memory = of_a_line(&mut memory);
        self.run(&self.jit, buffers, Some(memory), sizes, std::iter::once(-preparation..0));
        let written = memory.iter().rposition(|byte| *byte != UNWRITTEN).map_or(0, |last| last + 1);
        let padding = 4 * self.vectors.width * self.vectors.columns() + LINE;
        assert!(written <= room && room <= written + padding, "{written} of {room} bytes, sizes {sizes:?}");
    }

    fn division(&self, sizes: &[i64]) -> Division {
        self.kernel.division(sizes, Some(kernels::rows_of_item(&self.kernel, self.vectors)))
    }

    /// The bytes that threads share.
    fn room(&self, sizes: &[i64]) -> usize {
        kernels::shared(&self.kernel, self.vectors).of(sizes)
    }

    fn run(
        &self,
        jit: &Jit,
        buffers: &[Vec<f64>],
        mut shared: Option<&mut [u8]>,
        sizes: &[i64],
        parts: impl Iterator<Item = Range<i64>>,
    ) -> Vec<Vec<f32>> {
        let scratch = if shared.is_some() { kernels::scratch_of_sharing } else { kernels::scratch };
        let scratch_bytes = scratch(&self.kernel, self.vectors).of(sizes);
        let mut floats: Vec<Vec<f32>> = buffers.iter().map(|b| b.iter().map(|x| *x as f32).collect()).collect();
        let mut integers: Vec<Vec<i32>> = buffers.iter().map(|b| b.iter().map(|x| *x as i32).collect()).collect();
        let upper_half = |x: &f64| ((*x as f32).to_bits() >> 16) as u16;
        let mut halves: Vec<Vec<u16>> = buffers.iter().map(|b| b.iter().map(upper_half).collect()).collect();
        for part in parts {
            let dtypes = self.kernel.operands.iter().map(|o| o.dtype);
            let mut arguments: Vec<Buffer> = dtypes
                .zip(floats.iter_mut().zip(&mut integers).zip(&mut halves))
                .map(|(dtype, ((f, i), h))| match dtype {
                    DType::F32 => Buffer::F32(f),
                    DType::BF16 => Buffer::BF16(h),
                    DType::I32 => Buffer::I32(i),
                })
                .chain(shared.as_deref_mut().map(Buffer::Shared))
                .collect();
            jit.run("kernel", &mut arguments, sizes, part, scratch_bytes);
        }
        let results = self.kernel.operands.iter().zip(floats.into_iter().zip(integers).zip(halves));
        results
            .map(|(operand, ((f, i), h))| match operand.dtype {
                DType::F32 => f,
                DType::BF16 => h.iter().map(|x| f32::from_bits(u32::from(*x) << 16)).collect(),
                DType::I32 => i.iter().map(|x| *x as f32).collect(),
            })
            .collect()
    }
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

/// What the kernel makes of the buffers in f64.
pub fn truth(kernel: &Kernel, buffers: &[Vec<f64>], sizes: &[i64]) -> Vec<Vec<f64>> {
    let mut truth = buffers.to_vec();
    evaluate_buffers(kernel, sizes, &mut truth);
    truth
}

/// What a buffer of a type makes of numbers.
pub fn stored(dtype: DType, numbers: Vec<f64>) -> Vec<f64> {
    match dtype {
        DType::F32 | DType::I32 => numbers,
        DType::BF16 => numbers.into_iter().map(|x| Precision::Bf16.operand(x)).collect(),
    }
}

/// Numbers in [−1, 1), all f32: the same for the same seed.
pub fn noise(count: i64, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from((state >> 40) as f32 / 8_388_608.0 - 1.0)
        })
        .collect()
}
