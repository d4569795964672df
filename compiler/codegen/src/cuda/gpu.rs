//! GPUs by name: what a prediction is made of where none is at hand.

use super::architecture::Architecture;
use tfc_compiler::precision::Precision;

/// A product that can be bought. Of several variants, the one for servers with the most memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gpu {
    /// As the command line has it.
    pub name: &'static str,
    pub title: &'static str,
    pub architecture: Architecture,
    pub multiprocessors: i64,
    /// At which the peak that NVIDIA states for dense bf16 is that of its tensor cores.
    pub clock_hz: f64,
    pub memory_bytes: u64,
    pub memory_bytes_per_s: f64,
    /// The second-level cache.
    pub cache_bytes: u64,
}

const MIB: u64 = 1 << 20;
const GB: u64 = 1_000_000_000;

impl Gpu {
    pub const ALL: [Gpu; 4] = [
        // NVIDIA A100 Tensor Core GPU Architecture (whitepaper, 2020), A100 80GB datasheet: 108 multiprocessors, 1410 MHz, 312 TFLOP/s, 2039 GB/s, 40 MB.
        Gpu {
            name: "a100",
            title: "A100 80GB SXM",
            architecture: Architecture::ALL[0],
            multiprocessors: 108,
            clock_hz: 1.41e9,
            memory_bytes: 80 * GB,
            memory_bytes_per_s: 2.039e12,
            cache_bytes: 40 * MIB,
        },
        // NVIDIA H100 Tensor Core GPU Architecture (whitepaper, 2022), H100 datasheet: 132 multiprocessors of 4096 FLOP a cycle, 989 TFLOP/s, 3.35 TB/s, 50 MB.
        Gpu {
            name: "h100",
            title: "H100 SXM",
            architecture: Architecture::ALL[1],
            multiprocessors: 132,
            clock_hz: 1.83e9,
            memory_bytes: 80 * GB,
            memory_bytes_per_s: 3.35e12,
            cache_bytes: 50 * MIB,
        },
        // NVIDIA H200 datasheet: an H100 with 141 GB at 4.8 TB/s.
        Gpu {
            name: "h200",
            title: "H200 SXM",
            architecture: Architecture::ALL[1],
            multiprocessors: 132,
            clock_hz: 1.83e9,
            memory_bytes: 141 * GB,
            memory_bytes_per_s: 4.8e12,
            cache_bytes: 50 * MIB,
        },
        // NVIDIA DGX B200 datasheet: 1440 GB and 64 TB/s for eight, 2250 TFLOP/s of dense bf16 each; 148 multiprocessors of 8192 FLOP a cycle and 126 MB
        // (arXiv 2512.02189).
        Gpu {
            name: "b200",
            title: "B200 SXM",
            architecture: Architecture::ALL[2],
            multiprocessors: 148,
            clock_hz: 1.85e9,
            memory_bytes: 180 * GB,
            memory_bytes_per_s: 8e12,
            cache_bytes: 126 * MIB,
        },
    ];

    pub fn named(name: &str) -> Option<Gpu> {
        Gpu::ALL.into_iter().find(|gpu| gpu.name == name)
    }

    /// The first of an architecture.
    pub fn of(architecture: Architecture) -> Gpu {
        let of_it = |gpu: &Gpu| gpu.architecture == architecture;
        Gpu::ALL.into_iter().find(of_it).expect("bug in tfc: there is no GPU of an architecture")
    }

    /// FLOP/s of matrix products by mma.sync, the instruction that kernels use: on Hopper and Blackwell below the peak of the tensor cores.
    pub fn product_flops_per_s(&self, precision: Precision) -> f64 {
        2.0 * self.architecture.products(precision.into()) * self.cycles_per_s()
    }

    /// Scalar operations of f32 in a second.
    pub fn scalar_flops_per_s(&self) -> f64 {
        self.architecture.f32_per_cycle * self.cycles_per_s()
    }

    /// Of all multiprocessors.
    fn cycles_per_s(&self) -> f64 {
        self.multiprocessors as f64 * self.clock_hz
    }
}

#[cfg(test)]
mod tests {
    use super::{Architecture, Gpu, Precision};

    /// 312 TFLOP/s on an A100, where mma.sync reaches the peak; 62.5 % of 989 on an H100.
    #[test]
    fn rates_are_those_of_the_datasheets() {
        let [a100, h100, ..] = Gpu::ALL;
        let teraflops = |gpu: Gpu, precision| (gpu.product_flops_per_s(precision) / 1e12).round();
        assert_eq!([Precision::Bf16, Precision::F32].map(|precision| teraflops(a100, precision)), [312.0, 156.0]);
        assert_eq!(teraflops(h100, Precision::Bf16), (0.625 * 989.4f64).round());
        assert_eq!((h100.scalar_flops_per_s() / 1e12).round(), 31.0);
    }

    #[test]
    fn every_architecture_has_one() {
        let names = Architecture::ALL.map(|architecture| Gpu::of(architecture).name);
        assert_eq!(names, ["a100", "h100", "b200"]);
        assert_eq!(Gpu::named("h200").map(|gpu| gpu.architecture.name), Some("sm_90"));
        assert_eq!(Gpu::named("rtx"), None);
    }
}
