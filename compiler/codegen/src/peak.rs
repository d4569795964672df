//! The processor's limit, measured: what benchmarks are a fraction of.

use crate::compile::Compiler;
use crate::load::LoadedObjects;
use crate::vectors::Vectors;
use std::time::{Duration, Instant};
use tfc_compiler::executable::BackendError;

/// Floating-point operations per second of one core: multiply-adds on registers, as many independent ones as the micro-kernel has.
pub fn measure_peak_flops() -> Result<f64, BackendError> {
    let vectors = Vectors::host();
    let sums = vectors.rows * vectors.registers;
    let object = Compiler::new(vectors)?.object(|emission| {
        emission.kernel("peak", |f, launch| {
            let (x, y) = (f.vector(1.000_000_1), f.vector(1e-9));
            let results = f.carry(launch.begin, launch.end, 1, vec![y; sums], |_, sums| {
                sums.iter().map(|sum| sum.times_plus(x, y)).collect()
            });
            let total = results.into_iter().reduce(|a, b| a + b);
            total.iter().for_each(|total| launch.scratch.store_vector(f.index(0), *total));
        });
    })?;
    let loaded = LoadedObjects::new(&[&object])?;
    // SAFETY: the address is that of a kernel, alive as long as `loaded`.
    let call: extern "C" fn(*const *mut u8, *const i64, i64, i64, *mut u8) =
        unsafe { std::mem::transmute(loaded.address("peak")?) };
    let turns = 200_000;
    let mut scratch = [0f32; 64];
    let mut best = Duration::MAX;
    for _ in 0..50 {
        let start = Instant::now();
        call(std::ptr::null(), std::ptr::null(), 0, turns, scratch.as_mut_ptr().cast());
        best = best.min(start.elapsed());
    }
    Ok(2.0 * (turns as usize * sums * vectors.width) as f64 / best.as_secs_f64())
}
