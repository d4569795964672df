//! The processor's limit, measured: what benchmarks are a fraction of.

use crate::compile::Compiler;
use crate::gemm::Numbers;
use crate::load::LoadedObjects;
use crate::vectors::Vectors;
use std::time::{Duration, Instant};
use tfc_compiler::executable::BackendError;
use tfc_compiler::precision::Precision;

/// Multiply-adds on registers, as many independent ones as the micro-kernel has.
pub struct Peak {
    code: LoadedObjects,
    operations_per_turn: usize,
}

impl Peak {
    /// Of products in a precision: the same where the machine multiplies nothing narrower than f32.
    pub fn new(precision: Precision) -> Result<Peak, BackendError> {
        let vectors = Vectors::host();
        let sums = vectors.rows * vectors.registers;
        let numbers = Numbers::new(precision, vectors);
        let object = Compiler::new(vectors)?.object(|emission| {
            emission.kernel("peak", |f, launch| {
                let (x, y) = (f.vector(1.000_000_1), f.vector(1e-9));
                let results = f.carry(launch.begin, launch.end, 1, vec![y; sums], |_, sums| {
                    sums.iter().map(|sum| numbers.accumulate(x, y, *sum)).collect()
                });
                let total = results.into_iter().reduce(|a, b| a + b);
                total.iter().for_each(|total| launch.scratch.store_vector(f.index(0), *total));
            });
        })?;
        let code = LoadedObjects::new(&[&object])?;
        code.address("peak")?;
        Ok(Peak { code, operations_per_turn: 2 * sums * vectors.width * numbers.step() as usize })
    }

    /// Floating-point operations per second of this core at this moment: processors change their clock, so a benchmark asks
    /// again beside each of its measurements.
    pub fn measure(&self) -> f64 {
        let address = self.code.address("peak").expect("looked up before");
        // SAFETY: the address is that of a kernel, alive as long as `self`.
        let call: extern "C" fn(*const *mut u8, *const i64, i64, i64, *mut u8) =
            unsafe { std::mem::transmute(address) };
        let turns = 20_000;
        let mut scratch = [0f32; 64];
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            call(std::ptr::null(), std::ptr::null(), 0, turns, scratch.as_mut_ptr().cast());
            best = best.min(start.elapsed());
        }
        (turns as usize * self.operations_per_turn) as f64 / best.as_secs_f64()
    }
}
