//! Random numbers as pure functions: element `i` of the stream named by (seed, purpose, path, step) is the same number
//! on every machine, for any number of threads, in whatever order it is asked for.
//!
//! A stream is a key of the counter-based generator Philox ([`philox`]); its elements are read by index. Nothing has
//! state, so nothing has to be saved: a resumed run asks for the same elements and gets the same numbers.

mod normal;
mod permutation;

pub use normal::inverse_normal;
pub use permutation::Permutation;

use tfc_compiler::random::philox;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What the numbers are for. Streams of different purposes are independent, so that two recipes with one seed see the
/// same batches even if one of them uses dropout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Init,
    DataOrder,
    Dropout,
    Growth,
    Sampling,
    Augmentation,
}

impl Purpose {
    /// Part of the stream's name for good: changing one changes every run.
    fn name(self) -> &'static str {
        match self {
            Purpose::Init => "init",
            Purpose::DataOrder => "data_order",
            Purpose::Dropout => "dropout",
            Purpose::Growth => "growth",
            Purpose::Sampling => "sampling",
            Purpose::Augmentation => "augmentation",
        }
    }
}

/// An unbounded sequence of random numbers, read by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 2],
    step: u64,
}

impl Stream {
    /// `path` is a parameter's path, or what else tells streams of one purpose apart; `step` the training step, epoch or
    /// token.
    pub fn new(seed: u64, purpose: Purpose, path: &str, step: u64) -> Self {
        // No purpose contains a zero byte: different (purpose, path) are different names.
        let name = [purpose.name(), "\0", path].concat();
        let key = xxh3_64_with_seed(name.as_bytes(), seed);
        Stream { key: [key as u32, (key >> 32) as u32], step }
    }

    /// The Philox key, for kernels that draw on the device.
    pub fn key(&self) -> [u32; 2] {
        self.key
    }

    /// Element `index` as 64 random bits: half `index % 2` of the Philox block with the counter (index / 2, step).
    pub fn bits(&self, index: u64) -> u64 {
        let block = index / 2;
        let counter = [block as u32, (block >> 32) as u32, self.step as u32, (self.step >> 32) as u32];
        let [a, b, c, d] = philox(counter, self.key).map(u64::from);
        if index.is_multiple_of(2) { a | b << 32 } else { c | d << 32 }
    }

    /// Element `index`, uniform in [0, 1): the upper 53 bits.
    pub fn uniform(&self, index: u64) -> f64 {
        (self.bits(index) >> 11) as f64 * 2f64.powi(-53)
    }

    /// Element `index`, normal with mean 0 and standard deviation 1.
    pub fn normal(&self, index: u64) -> f64 {
        // The middle of the cell, so that 0 and 1, where the inverse is infinite, do not occur.
        inverse_normal(((self.bits(index) >> 12) as f64 + 0.5) * 2f64.powi(-52))
    }

    /// Element `index`, uniform in 0..n. The bias of at most n / 2⁶⁴ is far below what can be observed.
    pub fn below(&self, index: u64, n: u64) -> u64 {
        ((u128::from(self.bits(index)) * u128::from(n)) >> 64) as u64
    }

    /// Elements `first..` of N(0, std²), rounded to f32.
    pub fn fill_normal(&self, first: u64, std: f64, out: &mut [f32]) {
        for (index, value) in (first..).zip(out) {
            *value = (std * self.normal(index)) as f32;
        }
    }

    /// Elements `first..`, uniform in [-bound, bound), rounded to f32.
    pub fn fill_uniform(&self, first: u64, bound: f64, out: &mut [f32]) {
        for (index, value) in (first..).zip(out) {
            *value = (bound * (2.0 * self.uniform(index) - 1.0)) as f32;
        }
    }
}

#[cfg(test)]
mod tests;
