//! How much of one core's peak attention reaches: `cargo run --release -p tfc-codegen --example attention`.
//!
//! Causal, and counted as such: half of the products of a full matrix of scores.

use std::time::{Duration, Instant};
use tfc_codegen::{CpuBackend, Peak};
use tfc_compiler::executable::{Backend, BackendError, Code, Loaded};
use tfc_compiler::graph::AttentionMask;
use tfc_compiler::kernel::{Attention, AttentionBackward, Body, Kernel, Number, Operand};
use tfc_compiler::precision::Precision;

/// B, T, H, G.
const SIZES: [[usize; 4]; 4] = [[1, 1024, 12, 12], [16, 256, 4, 4], [1, 2048, 8, 2], [1, 200, 12, 12]];
const CHANNELS: [u32; 3] = [64, 80, 128];

fn main() -> Result<(), BackendError> {
    [Precision::F32, Precision::Bf16].into_iter().try_for_each(table)
}

fn table(precision: Precision) -> Result<(), BackendError> {
    let peak = Peak::new(Precision::F32)?;
    println!("{}: peak of one core in f32 now: {:.0} GFLOP/s", precision.name(), peak.measure() / 1e9);
    let both = |channels: &u32| [forward(precision, *channels), backward(precision, *channels)];
    let kernels: Vec<Kernel> = CHANNELS.iter().flat_map(both).collect();
    let backend = CpuBackend::new();
    let start = Instant::now();
    let code = backend.emit(&kernels)?;
    println!("{} kernels compiled in {:.2?}, {} bytes", kernels.len(), start.elapsed(), code.bytes.len());
    let loaded = backend.load(&code)?;
    for sizes in SIZES {
        for (i, channels) in CHANNELS.iter().enumerate() {
            let [forward, backward] =
                [0, 1].map(|which| measure(&kernels[2 * i + which], &code, &loaded, 2 * i + which, sizes, &peak));
            println!("{sizes:?} C = {channels}: forward {:.0} %, backward {:.0} %", 100.0 * forward, 100.0 * backward);
        }
    }
    Ok(())
}

fn scale(channels: u32) -> Number {
    Number(1.0 / f64::from(channels).sqrt())
}

fn forward(precision: Precision, channels: u32) -> Kernel {
    let body = Body::Attention(Attention {
        precision,
        channels,
        mask: AttentionMask::Causal,
        documents: false,
        scale: scale(channels),
    });
    Kernel { body, operands: [vec![Operand::READ; 3], vec![Operand::WRITE; 2]].concat() }
}

fn backward(precision: Precision, channels: u32) -> Kernel {
    let mask = AttentionMask::Causal;
    let body = Body::AttentionBackward(AttentionBackward {
        precision,
        channels,
        mask,
        documents: false,
        scale: scale(channels),
        rotary: None,
    });
    Kernel { body, operands: [vec![Operand::READ; 6], vec![Operand::WRITE; 3]].concat() }
}

/// The fraction of the peak: the median of many runs, each beside a measurement of the peak.
fn measure(kernel: &Kernel, code: &Code, loaded: &Loaded, index: usize, sizes: [usize; 4], peak: &Peak) -> f64 {
    let (channels, products) = match &kernel.body {
        Body::Attention(body) => (body.channels as usize, 2),
        Body::AttentionBackward(body) => (body.channels as usize, 5),
        other => unreachable!("not measured here: {other:?}"),
    };
    let [b, t, h, _] = sizes;
    let mut state = 1u32;
    let mut noise = |count: i64| -> Vec<f32> {
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    };
    let sizes = sizes.map(|s| s as i64);
    let mut tensors: Vec<Vec<f32>> = kernel.reach(&sizes).into_iter().map(&mut noise).collect();
    // What the forward pass would have left: of the right size is all that matters here.
    tensors[4].fill((t as f32).ln());
    let tensors = tensors.iter_mut().map(|tensor| tensor.as_mut_ptr());
    let buffers: Vec<*mut f32> = tensors.chain([std::ptr::null_mut()]).collect();
    let mut scratch = vec![0u64; code.functions[index].scratch.of(&sizes) / 8 + 8];
    let aligned = scratch.as_ptr().align_offset(64);
    let scratch = scratch[aligned..].as_mut_ptr();
    // SAFETY: the address is that of this kernel, the buffers are as large as the sizes say.
    let call: extern "C" fn(*const *mut f32, *const i64, i64, i64, *mut u8) =
        unsafe { std::mem::transmute(loaded.addresses[index]) };
    let flops = (products * b * h * t * (t + 1) * channels) as f64;
    let mut fractions = Vec::new();
    let start = Instant::now();
    while fractions.len() < 5 || start.elapsed() < Duration::from_millis(300) {
        let now = peak.measure();
        let begin = Instant::now();
        call(buffers.as_ptr(), sizes.as_ptr(), 0, kernel.extent(&sizes), scratch.cast());
        fractions.push(flops / begin.elapsed().as_secs_f64() / now);
    }
    fractions.sort_by(f64::total_cmp);
    fractions[fractions.len() / 2]
}
