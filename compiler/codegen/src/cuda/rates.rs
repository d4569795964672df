//! What a GPU reaches, to be measured: kernels that multiply, or copy, and do nothing else.

use super::backend::CudaBackend;
use super::kernels::launch::{QUAD, Thread, first};
use super::lower::Compiler;
use crate::mlir::{F32s, Multiplicand, Signature};
use tfc_compiler::executable::{BackendError, EmitStage, Extent, Geometry, GpuProgram};
use tfc_compiler::precision::Precision;

const THREADS: u32 = 256;
const WARPS: i64 = THREADS as i64 / 32;

/// Products of a warp that do not wait for each other.
const SUMS: i64 = 16;
/// Registers that a thread copies.
const QUADS: i64 = 4;

const PRODUCTS: &str = "products";
const COPY: &str = "copy";

/// The two kernels, with what a launch of each does.
pub struct Rates {
    /// The first adds products in registers: a buffer of a number for each thread; sizes: blocks, turns. The second copies a buffer to another; size: their numbers.
    pub program: GpuProgram,
    multiplicand: Multiplicand,
}

impl Rates {
    pub const PRODUCTS: usize = 0;
    pub const COPY: usize = 1;

    /// For products in a precision.
    ///
    /// # Errors
    /// LLVM has no code generator for the GPU.
    pub fn new(backend: &CudaBackend, precision: Precision) -> Result<Rates, BackendError> {
        let multiplicand = Multiplicand::from(precision);
        let ptx = text(backend, multiplicand, EmitStage::Ptx)?;
        let geometry = |blocks| Geometry { threads: THREADS, blocks, shared_bytes: 0 };
        let copied = i64::from(THREADS) * QUAD * QUADS;
        let program = GpuProgram {
            modules: vec![ptx.into_bytes()],
            functions: vec![(0, PRODUCTS.into()), (0, COPY.into())],
            geometries: vec![geometry(Extent::Size(0)), geometry(Extent::Size(0).units(copied))],
        };
        Ok(Rates { program, multiplicand })
    }

    /// Of so many blocks in so many turns.
    pub fn flops(&self, blocks: i64, turns: i64) -> f64 {
        (blocks * WARPS * turns * SUMS * 2 * 16 * 8 * self.multiplicand.depth()) as f64
    }

    /// Bytes of the products' buffer.
    pub fn sums_bytes(blocks: i64) -> usize {
        blocks as usize * THREADS as usize * size_of::<f32>()
    }
}

fn text(backend: &CudaBackend, multiplicand: Multiplicand, stage: EmitStage) -> Result<String, BackendError> {
    Compiler::new(backend.architecture())?.text(stage, |emission| {
        let signature = Signature { name: PRODUCTS, read_only: &[false], sizes: 2, threads: THREADS, blocks: 1 };
        emission.gpu_kernel(&signature, |f, launch| {
            let [_blocks, turns] = first(&launch.sizes);
            let one = f.int32(match multiplicand {
                Multiplicand::Bf16 => 0x3f80_3f80,
                Multiplicand::Tf32 => 0x3f80_0000,
            });
            // Each begins with another number: sums that are equal would be computed once.
            let start = (0..SUMS).map(|i| vec![f.scalar(i as f32); 4]).collect::<Vec<_>>();
            let sums = f.carry(f.index(0), turns, 1, start, |_, sums| {
                sums.iter().map(|sum| f.tensor_product(multiplicand, &[one; 4], &[one; 2], sum)).collect()
            });
            let total = sums.into_iter().flatten().reduce(|a, b| a + b).expect("there are sums");
            let thread = Thread::this(f);
            launch.buffers[0].store(thread.block * i64::from(THREADS) + thread.number, total);
        });
        let signature = Signature { name: COPY, read_only: &[true, false], sizes: 1, threads: THREADS, blocks: 1 };
        emission.gpu_kernel(&signature, |f, launch| {
            let ([count], [from, to], thread) = (first(&launch.sizes), first(&launch.buffers), Thread::this(f));
            let beginning = (thread.block * (i64::from(THREADS) * QUADS) + thread.number) * QUAD;
            for i in 0..QUADS {
                let place = beginning + i * i64::from(THREADS) * QUAD;
                f.when(place.less(count), || to.store_aligned(place, from.load_aligned::<F32s>(place)));
            }
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::Architecture;
    use crate::cuda_sim;
    use tfc_cuda_sim::{Argument, Dimensions, Launch, Simulator};

    /// Runs one of the kernels on the simulated GPU, with the checker on.
    fn run(multiplicand: Multiplicand, kernel: usize, buffers: &mut [&mut [f32]], sizes: &[i64]) {
        let backend = CudaBackend::new(Architecture::BASELINE);
        let ir = text(&backend, multiplicand, EmitStage::Llvm).expect("the kernels compile");
        let simulation = cuda_sim::simulation(ir.as_bytes(), true).expect("the simulator knows them");
        let name = [PRODUCTS, COPY][kernel];
        let place = simulation.kernels.iter().position(|known| known.name == name).expect("it is there");
        let loaded = cuda_sim::load(&simulation).expect("it was made here");
        let rates = Rates::new(&backend, Precision::F32).expect("the kernels compile");
        let last = buffers.len() - 1;
        let of_buffer = |(i, buffer): (usize, &mut &mut [f32])| Argument::Buffer {
            address: buffer.as_mut_ptr().cast(),
            bytes: 4 * buffer.len(),
            writable: i == last,
        };
        let numbers = sizes.iter().map(|size| Argument::Number(*size));
        let arguments: Vec<_> = buffers.iter_mut().enumerate().map(of_buffer).chain(numbers).collect();
        let blocks = rates.program.geometries[kernel].blocks.evaluate(sizes) as u32;
        let launch = Launch {
            kernel: place,
            arguments: &arguments,
            dimensions: Dimensions { block: [THREADS, 1, 1], grid: [blocks, 1, 1] },
            dynamic_shared_bytes: 0,
            seed: 1,
            allowed_conflicts: 0,
        };
        // SAFETY: the checker is on, and nothing else accesses the buffers.
        let ran = unsafe { Simulator::new(simulation, loaded).launch(&launch) };
        ran.unwrap_or_else(|report| panic!("{report}"));
    }

    /// Every product was computed: each of a turn adds its depth to each of four sums.
    #[test]
    fn all_products_are_computed() {
        for multiplicand in [Multiplicand::Bf16, Multiplicand::Tf32] {
            let mut sums = vec![0.0; 2 * THREADS as usize];
            run(multiplicand, Rates::PRODUCTS, &mut [&mut sums], &[2, 3]);
            let each = |i: i64| 4 * (i + 3 * multiplicand.depth());
            let total = (0..SUMS).map(each).sum::<i64>() as f32;
            assert!(sums.iter().all(|sum| *sum == total), "{multiplicand:?}: {} is not {total}", sums[0]);
        }
    }

    #[test]
    fn all_numbers_are_copied() {
        let mut from: Vec<f32> = (0..4096 + 20).map(|i| i as f32).collect();
        let mut to = vec![0.0; from.len()];
        let size = from.len() as i64;
        run(Multiplicand::Tf32, Rates::COPY, &mut [&mut from, &mut to], &[size]);
        assert_eq!(from, to);
    }

    #[test]
    fn products_are_counted() {
        let rates =
            Rates::new(&CudaBackend::new(Architecture::BASELINE), Precision::Bf16).expect("the kernels compile");
        // 8 warps, 16 products of 16 × 8 × 16.
        assert_eq!(rates.flops(3, 5), 3.0 * 8.0 * 5.0 * 16.0 * 4096.0);
    }
}
