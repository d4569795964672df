//! Wide heads, whose blocks have as many rows as there is shared memory for: on the simulated GPU against the definition.

use crate::cuda::{Architecture, CudaBackend};
use crate::testing::{GpuTrial, noise, truth};
use tfc_compiler::graph::AttentionMask;
use tfc_compiler::kernel::{
    Attention, AttentionBackward, Body, CachedAttention, Kernel, Number, Operand, evaluate_buffers,
};
use tfc_compiler::precision::Precision;

const PRECISION: Precision = Precision::F32;
const MASK: AttentionMask = AttentionMask::Causal;
const SCALE: Number = Number(0.0625);

/// Sequences, positions, heads, groups: of blocks of 16 and of 32 rows several, the last in part.
const SIZES: [i64; 4] = [1, 37, 2, 1];

/// On an H100, an A100, and an RTX 30 or 40, a block has so many threads, two for each row; on the last, which has most blocks, the kernel runs.
fn check(kernel: &Kernel, buffers: &[Vec<f64>], sizes: &[i64], threads: [u32; 3]) {
    let [a100, h100, _] = Architecture::ALL;
    let backends = [h100, a100, a100.with_shared_bytes_of_block(99 << 10)].map(CudaBackend::new);
    let of_block = |backend: &CudaBackend| backend.geometry(kernel).expect("there is code for it").threads;
    assert_eq!(backends.each_ref().map(of_block), threads);
    let trial = GpuTrial::of(&backends[2], kernel).expect("there is code for it");
    trial.check_against(&truth(kernel, buffers, sizes), buffers, sizes, |largest| 5e-6 * largest.max(1.0));
}

fn tensors(channels: u32) -> [Vec<f64>; 3] {
    let ([b, t, h, g], c) = (SIZES, i64::from(channels));
    [noise(b * t * h * c, 1), noise(b * t * g * c, 2), noise(b * t * g * c, 3)]
}

/// With results of nothing.
fn of_forward(channels: u32) -> (Kernel, Vec<Vec<f64>>) {
    let body = Attention { precision: PRECISION, channels, mask: MASK, documents: false, scale: SCALE };
    let operands = [vec![Operand::READ; 3], vec![Operand::WRITE; 2]].concat();
    let ([b, t, h, _], c, [q, k, v]) = (SIZES, i64::from(channels), tensors(channels));
    (Kernel { body: Body::Attention(body), operands }, vec![q, k, v, noise(b * t * h * c, 4), noise(b * t * h, 5)])
}

#[test]
fn forward() {
    let (kernel, buffers) = of_forward(256);
    check(&kernel, &buffers, &SIZES, [128, 128, 64]);
}

#[test]
fn with_a_cache() {
    let body = Body::CachedAttention(CachedAttention { channels: 256, mask: MASK, scale: SCALE });
    let reads = [vec![Operand::READ; 3], vec![Operand::READ_I32]].concat();
    let kernel = Kernel { body, operands: [reads, vec![Operand::WRITE]].concat() };
    let (positions, capacity) = (3, SIZES[1]);
    let [q, k, v] = tensors(256);
    let q = q[..positions * 2 * 256].to_vec();
    let out = noise(q.len() as i64, 4);
    let buffers = [q, k, v, vec![30.0], out];
    check(&kernel, &buffers, &[1, positions as i64, capacity, 2, 1], [128, 128, 64]);
}

/// A block computes 64 channels, of 129 those of the last part alone.
#[test]
fn backward() {
    for (channels, threads) in [(129, [128, 128, 64]), (256, [128, 64, 32])] {
        let (precision, mask, rotary) = (PRECISION, MASK, None);
        let body = AttentionBackward { precision, channels, mask, documents: false, scale: SCALE, rotary };
        let operands = [vec![Operand::READ; 6], vec![Operand::WRITE; 3]].concat();
        let kernel = Kernel { body: Body::AttentionBackward(body), operands };
        let (forward, mut buffers) = of_forward(channels);
        evaluate_buffers(&forward, &SIZES, &mut buffers);
        let ([b, t, h, g], c) = (SIZES, i64::from(channels));
        buffers.push(noise(b * t * h * c, 6));
        buffers.extend([noise(b * t * h * c, 7), noise(b * t * g * c, 8), noise(b * t * g * c, 9)]);
        check(&kernel, &buffers, &SIZES, threads);
    }
}
