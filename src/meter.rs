//! What a device can do in a second, measured on it: what benchmarks and kernels are a fraction of.

use crate::session::{self, Device};
use tfc_codegen::Peak;
use tfc_codegen::cuda::Rates;
use tfc_compiler::executable::BackendError;
use tfc_compiler::precision::Precision;
use tfc_runtime::device::Gpu;
use tfc_runtime::{Failure, Kind, Result};

/// Of products: long enough that a GPU is at its clock, and so many blocks that the last ones do not count.
const BLOCKS: i64 = 16_384;
const TURNS: i64 = 256;

pub enum Meter<'a> {
    Cpu { threads: usize, peak: Peak },
    Cuda { gpu: &'a Gpu, rates: Rates },
}

impl<'a> Meter<'a> {
    /// Of a device that work is timed on.
    ///
    /// # Errors
    /// There is no code for it.
    pub fn of(device: &'a Device, precision: Precision) -> Result<Meter<'a>> {
        let no_code = |error: BackendError| Failure::new(Kind::Machine, error.to_string());
        match device {
            Device::Cpu { threads } => {
                Ok(Meter::Cpu { threads: *threads, peak: Peak::new(precision).map_err(no_code)? })
            }
            Device::Cuda { gpu, .. } => {
                let rates = Rates::new(&session::backend_of(gpu)?, precision).map_err(no_code)?;
                Ok(Meter::Cuda { gpu, rates })
            }
            Device::CudaSim | Device::Reference => Err(session::not_timed()),
        }
    }

    /// Floating-point operations of matrix products.
    pub fn flops(&self) -> Result<f64> {
        match self {
            Meter::Cpu { threads, peak } => Ok(peak.of_threads(*threads)),
            Meter::Cuda { gpu, rates } => {
                let buffers = [Rates::sums_bytes(BLOCKS)];
                let time = gpu.time(&rates.program, Rates::PRODUCTS, &buffers, &[BLOCKS, TURNS])?;
                Ok(rates.flops(BLOCKS, TURNS) / time.as_secs_f64())
            }
        }
    }

    /// Bytes of a buffer that is so large: read, or, on a GPU, copied, which counts twice.
    pub fn bytes(&self, buffer: usize) -> Result<f64> {
        match self {
            Meter::Cpu { threads, peak } => Ok(peak.reading(*threads, buffer)),
            Meter::Cuda { gpu, rates } => {
                let numbers = (buffer / size_of::<f32>()) as i64;
                let time = gpu.time(&rates.program, Rates::COPY, &[buffer; 2], &[numbers])?;
                Ok(2.0 * buffer as f64 / time.as_secs_f64())
            }
        }
    }
}
