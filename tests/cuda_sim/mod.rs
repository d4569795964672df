//! The simulator of CUDA devices on kernels written by hand: right ones run clean and compute what they should, to the bit; of each fault that
//! the checker is for, one is planted and must be found.

mod correct;
mod planted;
mod refused;

use bytemuck::Pod;
use tfc_codegen::cuda_sim;
use tfc_cuda_sim::{Argument, Dimensions, Launch, Report, Simulator, Statistics};

const MATMUL: &str = include_str!("kernels/matmul.ll");
const ROW_SUMS: &str = include_str!("kernels/row_sums.ll");
const PIPELINE: &str = include_str!("kernels/pipeline.ll");
const TF32: &str = include_str!("kernels/tf32.ll");
const REGISTERS: &str = include_str!("kernels/registers.ll");
const HAND_OVER: &str = include_str!("kernels/hand_over.ll");
const MEET: &str = include_str!("kernels/meet.ll");
const COPY: &str = include_str!("kernels/copy.ll");
const ARITHMETIC: &str = include_str!("kernels/arithmetic.ll");

/// Seeds that every kernel is run with: what is found must not depend on them.
const SEEDS: std::ops::Range<u64> = 0..6;

fn simulator(ir: &str, checked: bool) -> Simulator {
    let simulation = cuda_sim::simulation(ir.as_bytes(), checked).expect("the kernel is known");
    let loaded = cuda_sim::load(&simulation).expect("it was made here");
    Simulator::new(simulation, loaded)
}

/// The kernel's text with something else in one place, or in all.
fn edited(ir: &str, from: &str, to: &str) -> String {
    assert!(ir.contains(from), "the kernel has no `{from}`");
    ir.replace(from, to)
}

/// Memory of the device: numbers on a boundary of 16 bytes.
#[derive(Clone)]
struct Buffer {
    words: Vec<u128>,
    bytes: usize,
}

impl Buffer {
    fn of<T: Pod>(data: &[T]) -> Buffer {
        let bytes = size_of_val(data);
        let mut words = vec![0u128; bytes.div_ceil(16)];
        bytemuck::cast_slice_mut(&mut words)[..bytes].copy_from_slice(bytemuck::cast_slice::<T, u8>(data));
        Buffer { words, bytes }
    }

    /// Of so many numbers, each NaN as long as no kernel has written it.
    fn new(count: usize) -> Buffer {
        Buffer::of(&vec![f32::NAN; count])
    }

    fn numbers<T: Pod>(&self) -> &[T] {
        &bytemuck::cast_slice(&self.words)[..self.bytes / size_of::<T>()]
    }

    fn read(&self) -> Argument {
        let address = self.words.as_ptr().cast_mut().cast();
        Argument::Buffer { address, bytes: self.bytes, writable: false }
    }

    fn write(&mut self) -> Argument {
        Argument::Buffer { address: self.words.as_mut_ptr().cast(), bytes: self.bytes, writable: true }
    }
}

/// How a kernel is launched.
struct Run {
    block: [u32; 3],
    grid: [u32; 3],
    shared: usize,
}

/// `matmul` of m rows and n columns.
fn matmul(m: usize, n: usize) -> Run {
    Run { block: [16, 16, 1], grid: [n.div_ceil(16) as u32, m.div_ceil(16) as u32, 1], shared: 0 }
}

fn pipeline() -> Run {
    Run { block: [32, 1, 1], grid: [1; 3], shared: 2 * 768 }
}

impl Run {
    fn launch(&self, simulator: &mut Simulator, arguments: &[Argument], seed: u64) -> Result<Statistics, Report> {
        let launch = Launch {
            kernel: 0,
            arguments,
            dimensions: Dimensions { block: self.block, grid: self.grid },
            dynamic_shared_bytes: self.shared,
            seed,
            allowed_conflicts: u64::MAX,
        };
        // SAFETY: the arguments are made of borrows that live as long as the test's arrays, which nothing else accesses; kernels that access
        // more than their arguments run with the checker only.
        unsafe { simulator.launch(&launch) }
    }
}

/// Multiples of a sixty-fourth in [-1, 1): the same for the same seed.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 25) as f32 - 64.0) / 64.0
    };
    (0..count).map(|_| next()).collect()
}

/// Exact for [`noise`].
fn to_bf16(values: &[f32]) -> Vec<u16> {
    values.iter().map(|x| (x.to_bits() >> 16) as u16).collect()
}
