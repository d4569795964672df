//! How long a kernel takes by itself.

use super::driver::{Allocation, Driven, Event, LaunchShape};
use super::trouble::gave_up;
use super::{Gpu, functions};
use crate::Result;
use std::time::Duration;
use tfc_compiler::executable::GpuProgram;

/// Launches, of which the shortest counts: the first wake the clock.
const ATTEMPTS: usize = 9;

impl Gpu {
    /// The shortest time of a kernel of a program on buffers of its own, of so many bytes, zeroed.
    ///
    /// # Errors
    /// The driver refuses the kernel, or there is too little memory.
    pub fn time(&self, program: &GpuProgram, kernel: usize, buffers: &[usize], sizes: &[i64]) -> Result<Duration> {
        let function = &functions(self, program)?[kernel];
        let geometry = &program.geometries[kernel];
        let blocks = u32::try_from(geometry.blocks.evaluate(sizes)).unwrap_or(u32::MAX);
        let shape = LaunchShape { blocks, threads: geometry.threads, shared_bytes: geometry.shared_bytes };
        let context = &self.context;
        let run = || -> Driven<Duration> {
            let memory = buffers.iter().map(|bytes| Allocation::new(context, *bytes)).collect::<Driven<Vec<_>>>()?;
            for (allocation, bytes) in memory.iter().zip(buffers) {
                // SAFETY: the allocation is that large, and waits for the stream before it is freed.
                unsafe { context.zero(allocation.address(), *bytes)? };
            }
            let addresses = memory.iter().map(Allocation::address);
            let words: Vec<u64> = addresses.chain(sizes.iter().map(|size| *size as u64)).collect();
            let mut shortest = Duration::MAX;
            for _ in 0..ATTEMPTS {
                let [before, after] = [Event::timed(context)?, Event::timed(context)?];
                before.record()?;
                // SAFETY: the caller's program takes these buffers and sizes.
                unsafe { context.launch(function, shape, &words)? };
                after.record()?;
                shortest = shortest.min(after.after(&before)?);
            }
            Ok(shortest)
        };
        run().map_err(gave_up)
    }
}
