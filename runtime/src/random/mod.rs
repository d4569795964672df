//! Random numbers as pure functions: element `i` of the stream named by (seed, purpose, path, step) is the same number
//! on every machine, for any number of threads, in whatever order it is asked for.
//!
//! A stream is a key of the counter-based generator Philox ([`philox`]); its elements are read by index. Nothing has
//! state, so nothing has to be saved: a resumed run asks for the same elements and gets the same numbers.

mod normal;
mod permutation;

pub use normal::inverse_normal;
use normal::inverse_normals;
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
        self.block(index / 2)[(index % 2) as usize]
    }

    fn block(&self, block: u64) -> [u64; 2] {
        let counter = [block as u32, (block >> 32) as u32, self.step as u32, (self.step >> 32) as u32];
        let [a, b, c, d] = philox(counter, self.key).map(u64::from);
        [a | b << 32, c | d << 32]
    }

    /// Elements `first..`, each block made once.
    fn fill_bits(&self, first: u64, out: &mut [u64]) {
        let odd = out.len().min((first % 2) as usize);
        let (half, whole) = out.split_at_mut(odd);
        half.iter_mut().for_each(|bits| *bits = self.bits(first));
        for (block, pair) in (first.div_ceil(2)..).zip(whole.chunks_mut(2)) {
            pair.copy_from_slice(&self.block(block)[..pair.len()]);
        }
    }

    /// Element `index`, uniform in [0, 1): the upper 53 bits.
    pub fn uniform(&self, index: u64) -> f64 {
        (self.bits(index) >> 11) as f64 * 2f64.powi(-53)
    }

    /// Element `index`, normal with mean 0 and standard deviation 1.
    pub fn normal(&self, index: u64) -> f64 {
        inverse_normal(inside(self.bits(index)))
    }

    /// Element `index`, uniform in 0..n. The bias of at most n / 2⁶⁴ is far below what can be observed.
    pub fn below(&self, index: u64, n: u64) -> u64 {
        ((u128::from(self.bits(index)) * u128::from(n)) >> 64) as u64
    }

    /// Elements `first..` of N(0, std²), rounded to f32.
    pub fn fill_normal(&self, first: u64, std: f64, out: &mut [f32]) {
        const BATCH: usize = 64;
        for (first, out) in (first..).step_by(BATCH).zip(out.chunks_mut(BATCH)) {
            let mut bits = [0; BATCH];
            self.fill_bits(first, &mut bits[..out.len()]);
            let mut normals = [0.0; BATCH];
            inverse_normals(&bits.map(inside), &mut normals);
            out.iter_mut().zip(normals).for_each(|(out, normal)| *out = (std * normal) as f32);
        }
    }

    /// Elements `first..`, uniform in [-bound, bound), rounded to f32.
    pub fn fill_uniform(&self, first: u64, bound: f64, out: &mut [f32]) {
        for (index, value) in (first..).zip(out) {
            *value = (bound * (2.0 * self.uniform(index) - 1.0)) as f32;
        }
    }
}

/// In (0, 1): the middle of one of 2⁵² cells, so that 0 and 1, where the inverse of a distribution is infinite, do not occur.
fn inside(bits: u64) -> f64 {
    ((bits >> 12) as f64 + 0.5) * 2f64.powi(-52)
}

#[cfg(test)]
mod tests;
