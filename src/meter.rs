//! What a device can do in a second, measured on it: what benchmarks and kernels are a fraction of.

use crate::session::{self, Device};
use tfc_codegen::Peak;
use tfc_codegen::cuda::Rates;
use tfc_compiler::executable::BackendError;
use tfc_compiler::precision::Precision;
use tfc_compiler::storage::Storage;
use tfc_runtime::device::{Gpu, HostMemory, Pages, Session};
use tfc_runtime::{Failure, Kind, Result};

/// Of products: long enough that a GPU is at its clock, and so many blocks that the last ones do not count.
const BLOCKS: i64 = 16_384;
const TURNS: i64 = 256;

/// What is read and written to measure the bandwidth of memory: far larger than any cache.
const BUFFER: usize = 256 << 20;

/// What a device can do in a second, at best.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub flops: f64,
    /// Bytes of memory that is only read.
    pub reading: f64,
    /// Bytes of memory that is read and written, which is more where half of it is each.
    pub moving: f64,
}

impl Limits {
    /// Where nobody asks how near they are.
    pub fn none() -> Limits {
        Limits { flops: f64::INFINITY, reading: f64::INFINITY, moving: f64::INFINITY }
    }

    /// Of two measurements.
    pub fn most(self, other: Limits) -> Limits {
        Limits {
            flops: self.flops.max(other.flops),
            reading: self.reading.max(other.reading),
            moving: self.moving.max(other.moving),
        }
    }
}

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

    pub fn limits(&self) -> Result<Limits> {
        let flops = self.flops()?;
        match self {
            Meter::Cpu { threads, peak } => {
                let mut memory = HostMemory::new(BUFFER, Pages::Large)?;
                // Not zeros: their pages would all be the same one.
                memory.bytes_mut().fill(0x3f);
                let reading = peak.reading(*threads, &[memory.bytes()]);
                let moving = peak.updating(*threads, memory.bytes_mut()).best;
                let reading = reading.map_or(moving, |reading| reading.best);
                Ok(Limits { flops, reading, moving: moving.max(reading) })
            }
            Meter::Cuda { gpu, rates } => {
                let bytes = copied(gpu, rates, BUFFER)?;
                Ok(Limits { flops, reading: bytes, moving: bytes })
            }
        }
    }

    /// Bytes that are read of a session's storages where they lie, if that is in this process' memory.
    pub fn reading<'s>(&self, session: &dyn Session, storages: impl Iterator<Item = &'s Storage>) -> Option<f64> {
        let parts: Vec<&[u8]> = storages.filter_map(|storage| session.bytes(*storage)).collect();
        match self {
            Meter::Cpu { threads, peak } => peak.reading(*threads, &parts).map(|reading| reading.lasting),
            Meter::Cuda { .. } => None,
        }
    }

    /// Bytes that a GPU moves as it copies so many.
    pub fn copying(&self, bytes: u64) -> Result<Option<f64>> {
        match self {
            Meter::Cuda { gpu, rates } if bytes > 0 => copied(gpu, rates, bytes as usize).map(Some),
            Meter::Cpu { .. } | Meter::Cuda { .. } => Ok(None),
        }
    }
}

/// Each byte is read and written: it counts twice.
fn copied(gpu: &Gpu, rates: &Rates, buffer: usize) -> Result<f64> {
    let numbers = (buffer / size_of::<f32>()) as i64;
    let time = gpu.time(&rates.program, Rates::COPY, &[buffer; 2], &[numbers])?;
    Ok(2.0 * buffer as f64 / time.as_secs_f64())
}
