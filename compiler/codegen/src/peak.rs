//! The machine's limits, measured: what benchmarks are a fraction of.

use crate::compile::Compiler;
use crate::gemm::Numbers;
use crate::load::LoadedObjects;
use crate::mlir::{Function, Launch, TILE, Tile};
use crate::processor::Processor;
use std::ops::Range;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use tfc_compiler::executable::BackendError;
use tfc_compiler::precision::Precision;

/// Multiply-adds on registers, as many independent ones as the micro-kernel has, and loads and stores of large buffers.
pub struct Peak {
    code: LoadedObjects,
    operations_per_turn: usize,
    /// What one turn of reading or updating loads, in f32.
    elements_per_turn: usize,
}

/// Of memory. A machine that several share lends one of them for milliseconds what it does not have for longer.
#[derive(Clone, Copy, Debug)]
pub struct BytesPerSecond {
    pub best: f64,
    /// The median.
    pub lasting: f64,
}

impl BytesPerSecond {
    fn new(bytes: usize, times: [Duration; ATTEMPTS]) -> BytesPerSecond {
        let [best, lasting] = [times[0], times[ATTEMPTS / 2]].map(|time| bytes as f64 / time.as_secs_f64());
        BytesPerSecond { best, lasting }
    }
}

/// The launch ABI of `tfc_compiler::kernel`.
type Entry = unsafe extern "C" fn(*const *const u8, *const i64, i64, i64, *mut u8);

/// Sums in tile registers.
const TILES: usize = 4;
/// Registers that one turn of reading loads.
const LOADS: usize = 16;
/// Measurements, of which the best counts: what else the machine does can only make it slower.
const ATTEMPTS: usize = 9;

impl Peak {
    /// Of products in a precision: the same where the machine multiplies nothing narrower than f32.
    pub fn new(precision: Precision) -> Result<Peak, BackendError> {
        let processor = Processor::host();
        let vectors = processor.vectors;
        let sums = vectors.rows * vectors.registers;
        let numbers = Numbers::new(precision, vectors);
        let in_tiles = numbers.in_tiles(vectors);
        let elements_per_turn = LOADS * vectors.width;
        let object = Compiler::new(&processor)?.object(|emission| {
            emission.kernel("peak", |f, launch| {
                if in_tiles {
                    return multiply_tiles(f, launch);
                }
                let (x, y) = (f.vector(1.000_000_1), f.vector(1e-9));
                let results = f.carry(launch.begin, launch.end, 1, vec![y; sums], |_, sums| {
                    sums.iter().map(|sum| numbers.accumulate(x, y, *sum)).collect()
                });
                let total = results.into_iter().reduce(|a, b| a + b);
                total.iter().for_each(|total| launch.scratch.store_vector(f.index(0), *total));
            });
            emission.kernel("read", |f, launch| {
                let data = launch.buffers.load_pointer(0);
                let zero = vec![f.vector(0.0); LOADS];
                let results = f.carry(launch.begin, launch.end, elements_per_turn as i64, zero, |at, sums| {
                    let load = |i: usize| data.load_vector(at + f.index((i * vectors.width) as i64));
                    sums.iter().enumerate().map(|(i, sum)| *sum + load(i)).collect()
                });
                let total = results.into_iter().reduce(|a, b| a + b);
                total.iter().for_each(|total| launch.scratch.store_vector(f.index(0), *total));
            });
            emission.kernel("update", |f, launch| {
                let (data, factor) = (launch.buffers.load_pointer(0), f.vector(1.000_000_1));
                f.each(launch.begin, launch.end, elements_per_turn as i64, |at| {
                    for i in 0..LOADS {
                        let at = at + f.index((i * vectors.width) as i64);
                        data.store_vector(at, data.load_vector(at) * factor);
                    }
                });
            });
        })?;
        let code = LoadedObjects::new(&[&object])?;
        code.address("peak")?;
        code.address("read")?;
        code.address("update")?;
        let multiply_adds = if in_tiles { TILES * (2 * TILE * TILE * TILE) as usize } else { sums * vectors.width };
        let operations_per_turn = 2 * multiply_adds * if in_tiles { 1 } else { numbers.step() as usize };
        Ok(Peak { code, operations_per_turn, elements_per_turn })
    }

    /// Floating-point operations per second of this core at this moment: processors change their clock, so a benchmark asks
    /// again beside each of its measurements.
    pub fn measure(&self) -> f64 {
        self.operations(1, 20_000)
    }

    /// Floating-point operations per second of so many threads together, for long enough that the clock is what it is under load.
    pub fn of_threads(&self, threads: usize) -> f64 {
        self.operations(threads, 2_000_000)
    }

    fn operations(&self, threads: usize, turns: usize) -> f64 {
        let entry = self.entry("peak");
        let times = together(threads, |_| {
            let mut scratch = [0f32; 64];
            // SAFETY: the kernel touches nothing but a register's worth of scratch.
            unsafe { entry(std::ptr::null(), std::ptr::null(), 0, turns as i64, scratch.as_mut_ptr().cast()) }
        });
        (threads * turns * self.operations_per_turn) as f64 / times[0].as_secs_f64()
    }

    /// What so many threads read together, each its share of every buffer, over and over; None if buffers are too small to have shares.
    pub fn reading(&self, threads: usize, buffers: &[&[u8]]) -> Option<BytesPerSecond> {
        let entry = self.entry("read");
        let elements: usize = buffers.iter().map(|buffer| threads * self.share(threads, buffer)).sum();
        if elements == 0 {
            return None;
        }
        let times = together(threads, |thread| {
            for buffer in buffers {
                let share = self.share(threads, buffer);
                // SAFETY: the buffer has the elements of each share, which are only read.
                unsafe { over(entry, buffer.as_ptr(), thread * share..(thread + 1) * share) };
            }
        });
        Some(BytesPerSecond::new(4 * elements, times))
    }

    /// What so many threads read and write back together, each its share of a buffer: each byte counts twice.
    pub fn updating(&self, threads: usize, buffer: &mut [u8]) -> BytesPerSecond {
        let (entry, share) = (self.entry("update"), self.share(threads, buffer));
        let start = buffer.as_mut_ptr().expose_provenance();
        let times = together(threads, |thread| {
            let buffer = std::ptr::with_exposed_provenance(start);
            // SAFETY: the buffer, which nobody else has meanwhile, has the elements of each share, and no two shares have one in common.
            unsafe { over(entry, buffer, thread * share..(thread + 1) * share) };
        });
        BytesPerSecond::new(2 * 4 * threads * share, times)
    }

    /// How many numbers of a buffer each of so many threads has.
    fn share(&self, threads: usize, buffer: &[u8]) -> usize {
        buffer.len() / 4 / threads / self.elements_per_turn * self.elements_per_turn
    }

    fn entry(&self, name: &str) -> Entry {
        let address = self.code.address(name).expect("looked up before");
        // SAFETY: the address is that of a kernel, alive as long as `self`.
        unsafe { std::mem::transmute::<usize, Entry>(address) }
    }
}

/// As many products of tile registers in a turn as the micro-kernel has sums.
fn multiply_tiles<'f>(f: &'f Function<'f>, launch: Launch<'f>) {
    f.with_tiles(true, || {
        (0..8).map(Tile).for_each(|tile| f.zero_tile(tile));
        f.each(launch.begin, launch.end, 1, |_| {
            for sum in 0..TILES {
                f.add_tile_product(Tile(sum as u8), Tile(4), Tile(6));
            }
        });
    });
}

/// Once over some elements of a buffer.
///
/// # Safety
/// The buffer has them, and nobody else writes them, nor reads what the kernel writes.
unsafe fn over(entry: Entry, buffer: *const u8, elements: Range<usize>) {
    let mut scratch = [0f32; 64];
    let (begin, end) = (elements.start as i64, elements.end as i64);
    // SAFETY: of the elements the caller speaks; of scratch the kernel touches no more than a register's worth.
    unsafe { entry([buffer].as_ptr(), std::ptr::null(), begin, end, scratch.as_mut_ptr().cast()) }
}

/// How long it takes until all threads have done their work, in ascending order; they start at the same time.
fn together(threads: usize, work: impl Fn(usize) + Sync) -> [Duration; ATTEMPTS] {
    let barrier = Barrier::new(threads);
    let timed = |thread: usize| {
        let mut times = Vec::new();
        for _ in 0..ATTEMPTS {
            barrier.wait();
            let start = Instant::now();
            work(thread);
            times.push(start.elapsed());
        }
        times
    };
    let times: Vec<Vec<Duration>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || timed(thread))).collect();
        let own = timed(0);
        let others = others.into_iter().map(|other| other.join().expect("measuring does not panic"));
        std::iter::once(own).chain(others).collect()
    });
    let slowest = |attempt: usize| times.iter().map(|times| times[attempt]).max();
    let mut all = std::array::from_fn(|attempt| slowest(attempt).unwrap_or_default());
    all.sort();
    all
}
