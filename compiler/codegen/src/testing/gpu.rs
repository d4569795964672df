//! Kernels on the simulated GPU, with the checker on.

use crate::cuda::{Architecture, CudaBackend};
use crate::cuda_sim;
use std::cell::RefCell;
use tfc_compiler::executable::Geometry;
use tfc_compiler::graph::DType;
use tfc_compiler::kernel::{Access, Body, Kernel};
use tfc_compiler::precision::Precision;
use tfc_compiler::simulation::SimulatedProgram;
use tfc_cuda_sim::{Argument, Dimensions, Launch, Simulator, Statistics};

/// Numbers in all buffers: more take the simulator too long where there are many trials.
pub const MOST_NUMBERS: usize = 12_000;

/// tf32 has ten bits of fraction: each operand is off by 2⁻¹¹ of itself at most.
const TF32: f64 = 1e-3;

pub struct GpuTrial {
    kernel: Kernel,
    geometry: Geometry,
    simulator: RefCell<Simulator>,
}

impl GpuTrial {
    /// On the oldest that there is code for; None where there is none for the kernel's body yet.
    pub fn new(kernel: &Kernel) -> Option<GpuTrial> {
        GpuTrial::of(&CudaBackend::new(Architecture::BASELINE), kernel)
    }

    /// As a back end makes it.
    pub fn of(backend: &CudaBackend, kernel: &Kernel) -> Option<GpuTrial> {
        let geometry = backend.geometry(kernel).ok()?;
        let program = cuda_sim::program(backend, std::slice::from_ref(kernel), true).expect("the simulator knows it");
        let SimulatedProgram { simulation, loaded, .. } = program;
        Some(GpuTrial { kernel: kernel.clone(), geometry, simulator: RefCell::new(Simulator::new(simulation, loaded)) })
    }

    /// Of a block.
    pub fn threads(&self) -> u32 {
        self.geometry.threads
    }

    /// As [`super::Trial::check_against`]; in two orders, which must give the same bits. Tells what the simulator has counted.
    pub fn check_against(
        &self,
        truth: &[Vec<f64>],
        buffers: &[Vec<f64>],
        sizes: &[i64],
        allowed: impl Fn(f64) -> f64,
    ) -> Statistics {
        let [(results, counted), (again, _)] = [1, 2].map(|seed| self.run(buffers, sizes, seed));
        let largest_of = |x: &[f64]| x.iter().fold(0f64, |m, x| m.max(x.abs()));
        let written = truth.iter().zip(&self.kernel.operands).filter(|(_, o)| o.access != Access::Read);
        // A gradient may cancel where another of the same kernel does not.
        let rounding = self.rounding() * written.map(|(truth, _)| largest_of(truth)).fold(0.0, f64::max);
        for (b, operand) in self.kernel.operands.iter().enumerate() {
            let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(
                bits(&results[b]),
                bits(&again[b]),
                "operand {b} depends on the order of threads, sizes {sizes:?}"
            );
            if operand.access == Access::Read {
                continue;
            }
            let allowed = allowed(largest_of(&truth[b])) + rounding;
            for (i, (got, want)) in results[b].iter().zip(&truth[b]).enumerate() {
                let error = (f64::from(*got) - want).abs();
                assert!(
                    error <= allowed || want.is_nan() && got.is_nan(),
                    "operand {b}[{i}] is {got}, not {want}, with sizes {sizes:?} on the GPU: {:?}",
                    self.kernel.body
                );
            }
        }
        counted
    }

    /// What the operands of products lose on a GPU, relative to the largest result.
    fn rounding(&self) -> f64 {
        match &self.kernel.body {
            Body::Contraction(body) if body.precision == Precision::F32 => TF32,
            // Two or more products, one after the other.
            Body::Attention(_) | Body::AttentionBackward(_) | Body::CachedAttention(_) => 4.0 * TF32,
            _ => 0.0,
        }
    }

    fn run(&self, buffers: &[Vec<f64>], sizes: &[i64], seed: u64) -> (Vec<Vec<f32>>, Statistics) {
        let operands = &self.kernel.operands;
        let mut memory: Vec<Vec<u32>> =
            buffers.iter().zip(operands).map(|(x, operand)| words(x, operand.dtype)).collect();
        let lengths = buffers.iter().map(Vec::len);
        let in_memory =
            memory.iter_mut().zip(operands).zip(lengths).map(|((words, operand), length)| Argument::Buffer {
                address: words.as_mut_ptr().cast(),
                bytes: operand.dtype.bytes() * length,
                writable: operand.access != Access::Read,
            });
        let arguments: Vec<Argument> = in_memory.chain(sizes.iter().map(|size| Argument::Number(*size))).collect();
        let blocks = self.geometry.blocks.evaluate(sizes) as u32;
        let launch = Launch {
            kernel: 0,
            arguments: &arguments,
            dimensions: Dimensions { block: [self.geometry.threads, 1, 1], grid: [blocks, 1, 1] },
            dynamic_shared_bytes: self.geometry.shared_bytes as usize,
            seed,
            allowed_conflicts: u64::MAX,
        };
        let mut counted = Statistics::default();
        if blocks > 0 {
            // SAFETY: the checker is on, and nothing else accesses the buffers.
            let ran = unsafe { self.simulator.borrow_mut().launch(&launch) };
            counted = ran.unwrap_or_else(|report| panic!("sizes {sizes:?}, {:?}:\n{report}", self.kernel.body));
        }
        let lengths = buffers.iter().map(Vec::len);
        let results = memory.iter().zip(operands).zip(lengths);
        (results.map(|((words, o), length)| numbers(words, o.dtype, length)).collect(), counted)
    }
}

/// Numbers as they are in memory, two of bf16 to a word.
fn words(numbers: &[f64], dtype: DType) -> Vec<u32> {
    let upper_half = |x: &f64| (*x as f32).to_bits() >> 16;
    match dtype {
        DType::F32 => numbers.iter().map(|x| (*x as f32).to_bits()).collect(),
        DType::BF16 => {
            numbers.chunks(2).map(|two| upper_half(&two[0]) | two.get(1).map_or(0, upper_half) << 16).collect()
        }
        DType::I32 => numbers.iter().map(|x| *x as i32 as u32).collect(),
    }
}

fn numbers(words: &[u32], dtype: DType, length: usize) -> Vec<f32> {
    match dtype {
        DType::F32 => words.iter().map(|word| f32::from_bits(*word)).collect(),
        DType::BF16 => {
            let both = words.iter().flat_map(|word| [word << 16, word & 0xffff_0000].map(f32::from_bits));
            both.take(length).collect()
        }
        DType::I32 => words.iter().map(|word| *word as i32 as f32).collect(),
    }
}
