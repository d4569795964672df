//! Attention of all masks and odd sizes against its definition.

use crate::testing::{Trial, all_vectors, noise};
use tfc_compiler::graph::AttentionMask;
use tfc_compiler::kernel::{
    Attention, AttentionBackward, Body, CachedAttention, Kernel, Number, Operand, evaluate_buffers,
};

/// Channels of a head and masks.
const FORMS: [(u32, AttentionMask); 5] = [
    (1, AttentionMask::Full),
    (64, AttentionMask::Full),
    (37, AttentionMask::Causal),
    (8, AttentionMask::Window(1)),
    (20, AttentionMask::Window(70)),
];
/// B, T, H, G.
const SIZES: [[i64; 4]; 5] = [[1, 1, 1, 1], [2, 5, 4, 2], [1, 64, 2, 2], [1, 130, 2, 1], [0, 3, 1, 1]];
const SCALE: Number = Number(0.7);

#[test]
fn forward() {
    for vectors in all_vectors() {
        for (channels, mask) in FORMS {
            let body = Body::Attention(Attention { channels, mask, scale: SCALE });
            let operands = vec![Operand::READ, Operand::READ, Operand::READ, Operand::WRITE, Operand::WRITE];
            let trial = Trial::new(&Kernel { body, operands }, vectors);
            for [b, t, h, g] in SIZES {
                let c = i64::from(channels);
                let [q, k, v] = [noise(b * t * h * c, 1), noise(b * t * g * c, 2), noise(b * t * g * c, 3)];
                let q = q.iter().map(|x| x * 3.0).collect();
                let buffers = [q, k, v, noise(b * t * h * c, 4), noise(b * t * h, 5)];
                trial.check(&buffers, &[b, t, h, g], 5e-6);
            }
        }
    }
}

#[test]
fn with_a_cache() {
    for vectors in all_vectors() {
        for (channels, mask) in FORMS {
            let body = Body::CachedAttention(CachedAttention { channels, mask, scale: SCALE });
            let operands = vec![Operand::READ, Operand::READ, Operand::READ, Operand::READ_I32, Operand::WRITE];
            let trial = Trial::new(&Kernel { body, operands }, vectors);
            for ([b, t, h, g], position) in
                [([1, 1, 1, 1], 0), ([2, 1, 4, 2], 99), ([1, 70, 2, 2], 7), ([3, 2, 4, 1], 200)]
            {
                let (c, s) = (i64::from(channels), position + t + 3);
                let [q, k, v] = [noise(b * t * h * c, 1), noise(b * s * g * c, 2), noise(b * s * g * c, 3)];
                let buffers = [q, k, v, vec![position as f64], noise(b * t * h * c, 4)];
                trial.check(&buffers, &[b, t, s, h, g], 5e-6);
            }
        }
    }
}

/// The forward results that the backward kernel is given: from the definition.
fn forward_results(channels: u32, mask: AttentionMask, [b, t, h, g]: [i64; 4]) -> Vec<Vec<f64>> {
    let c = i64::from(channels);
    let body = Body::Attention(Attention { channels, mask, scale: SCALE });
    let operands = vec![Operand::READ, Operand::READ, Operand::READ, Operand::WRITE, Operand::WRITE];
    let [q, k, v] = [noise(b * t * h * c, 1), noise(b * t * g * c, 2), noise(b * t * g * c, 3)];
    let mut buffers = vec![q, k, v, noise(b * t * h * c, 4), noise(b * t * h, 5)];
    evaluate_buffers(&Kernel { body, operands }, &[b, t, h, g], &mut buffers);
    buffers
}

#[test]
fn backward() {
    for vectors in all_vectors() {
        for (channels, mask) in FORMS {
            let body = Body::AttentionBackward(AttentionBackward { channels, mask, scale: SCALE });
            let operands = [vec![Operand::READ; 6], vec![Operand::WRITE; 3]].concat();
            let trial = Trial::new(&Kernel { body, operands }, vectors);
            for [b, t, h, g] in SIZES {
                let c = i64::from(channels);
                let mut buffers = forward_results(channels, mask, [b, t, h, g]);
                buffers.push(noise(b * t * h * c, 6));
                buffers.extend([noise(b * t * h * c, 7), noise(b * t * g * c, 8), noise(b * t * g * c, 9)]);
                // A single key gets no gradient: what remains is the rounding of summands of this size.
                trial.check_within(&buffers, &[b, t, h, g], |largest| 5e-6 * largest.max(1.0));
            }
        }
    }
}
