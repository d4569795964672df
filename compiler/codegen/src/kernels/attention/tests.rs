//! Attention of all masks and odd sizes against its definition.

use super::backward::QUERIES;
use super::head::Shape;
use super::softmax::TOGETHER;
use crate::testing::{Trial, all_vectors, noise};
use crate::vectors::Vectors;
use tfc_compiler::graph::AttentionMask;
use tfc_compiler::kernel::{
    Attention, AttentionBackward, Body, CachedAttention, Kernel, Number, Operand, Rotary, evaluate_buffers,
};
use tfc_compiler::precision::Precision;

/// Channels of a head and masks.
const FORMS: [(u32, AttentionMask); 6] = [
    (1, AttentionMask::Full),
    (64, AttentionMask::Causal),
    (80, AttentionMask::Full),
    (37, AttentionMask::Causal),
    (8, AttentionMask::Window(1)),
    (20, AttentionMask::Window(70)),
];
/// B, T, H, G: also more than a block of queries or keys.
const SIZES: [[i64; 4]; 5] = [[1, 1, 1, 1], [2, 5, 4, 2], [1, 64, 2, 2], [1, 150, 2, 1], [0, 3, 1, 1]];
/// So long that a window leaves out whole blocks.
const LONG: [i64; 4] = [1, 310, 1, 1];
const SCALE: Number = Number(0.7);
/// What P and dS are rounded to where the f64 of the evaluation and our f32 lie on either side of a middle: one step of a bf16 for a few of them. Of weights
/// that are yet to be divided by their sum it is another middle.
fn rounding(precision: Precision) -> f64 {
    if precision == Precision::F32 { 0.0 } else { 1.0 / 256.0 }
}

/// On a GPU attention multiplies tf32 in either precision.
fn trial(kernel: &Kernel, vectors: Vectors, precision: Precision) -> Trial {
    match precision {
        Precision::F32 => Trial::new(kernel, vectors),
        Precision::Bf16 => Trial::on_this_processor(kernel, vectors),
    }
}

/// Every form in f32, and some in bf16.
fn forms() -> impl Iterator<Item = (Precision, u32, AttentionMask)> {
    let rounded = FORMS.into_iter().filter(|(channels, _)| [1, 37, 64, 20].contains(channels));
    let in_precision = |precision| move |(channels, mask)| (precision, channels, mask);
    FORMS.into_iter().map(in_precision(Precision::F32)).chain(rounded.map(in_precision(Precision::Bf16)))
}

fn sizes(mask: AttentionMask) -> impl Iterator<Item = [i64; 4]> {
    let long = match mask {
        AttentionMask::Full | AttentionMask::Causal => None,
        AttentionMask::Window(_) => Some(LONG),
    };
    SIZES.into_iter().chain(long)
}

/// What the loops take for granted of every processor's tiles.
#[test]
fn blocks_are_whole_tiles() {
    for vectors in [Vectors::AMX, Vectors::AVX512, Vectors::AVX512_BF16, Vectors::AVX2, Vectors::NEON, Vectors::SSE2] {
        let shape = Shape::new(64, Precision::Bf16, vectors);
        assert!(shape.panel <= QUERIES, "{vectors:?}");
        assert_eq!([shape.block % shape.keys, shape.panel % shape.queries], [0, 0], "{vectors:?}");
        assert_eq!([shape.panel % TOGETHER, TOGETHER % shape.numbers.step()], [0, 0], "{vectors:?}");
    }
}

#[test]
fn forward() {
    for vectors in all_vectors() {
        for (precision, channels, mask) in forms() {
            let body = Body::Attention(Attention { precision, channels, mask, documents: false, scale: SCALE });
            let operands = vec![Operand::READ, Operand::READ, Operand::READ, Operand::WRITE, Operand::WRITE];
            let trial = trial(&Kernel { body, operands }, vectors, precision);
            for [b, t, h, g] in sizes(mask) {
                let c = i64::from(channels);
                let [q, k, v] = [noise(b * t * h * c, 1), noise(b * t * g * c, 2), noise(b * t * g * c, 3)];
                let q = q.iter().map(|x| x * 3.0).collect();
                let buffers = [q, k, v, noise(b * t * h * c, 4), noise(b * t * h, 5)];
                trial.check(&buffers, &[b, t, h, g], 5e-6 + rounding(precision));
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
fn forward_results(precision: Precision, channels: u32, mask: AttentionMask, [b, t, h, g]: [i64; 4]) -> Vec<Vec<f64>> {
    let c = i64::from(channels);
    let body = Body::Attention(Attention { precision, channels, mask, documents: false, scale: SCALE });
    let operands = vec![Operand::READ, Operand::READ, Operand::READ, Operand::WRITE, Operand::WRITE];
    let [q, k, v] = [noise(b * t * h * c, 1), noise(b * t * g * c, 2), noise(b * t * g * c, 3)];
    let mut buffers = vec![q, k, v, noise(b * t * h * c, 4), noise(b * t * h, 5)];
    evaluate_buffers(&Kernel { body, operands }, &[b, t, h, g], &mut buffers);
    buffers
}

#[test]
fn backward() {
    for vectors in all_vectors() {
        for (precision, channels, mask) in forms() {
            let body = Body::AttentionBackward(AttentionBackward {
                precision,
                channels,
                mask,
                documents: false,
                scale: SCALE,
                rotary: None,
            });
            let operands = [vec![Operand::READ; 6], vec![Operand::WRITE; 3]].concat();
            let trial = trial(&Kernel { body, operands }, vectors, precision);
            for [b, t, h, g] in sizes(mask) {
                let c = i64::from(channels);
                let mut buffers = forward_results(precision, channels, mask, [b, t, h, g]);
                buffers.push(noise(b * t * h * c, 6));
                buffers.extend([noise(b * t * h * c, 7), noise(b * t * g * c, 8), noise(b * t * g * c, 9)]);
                // A single key gets no gradient: what remains is the rounding of summands of this size.
                trial.check_within(&buffers, &[b, t, h, g], |largest| (5e-6 + rounding(precision)) * largest.max(1.0));
            }
        }
    }
}

/// Also where a GPU's block has a part of the channels.
#[test]
fn gradients_are_turned_as_they_are_stored() {
    let precision = Precision::F32;
    for (channels, turned, documents) in [(64, 16, false), (8, 8, true), (192, 20, false)] {
        let rotary = Some(Rotary { channels, turned, inverse: true, documents });
        let mask = AttentionMask::Causal;
        let body = AttentionBackward { precision, channels, mask, documents: false, scale: SCALE, rotary };
        let tables = [Operand::READ, Operand::READ, Operand::READ_I32];
        let operands = [&[Operand::READ; 6][..], &[Operand::WRITE; 3], &tables].concat();
        let kernel = Kernel { body: Body::AttentionBackward(body), operands };
        for vectors in all_vectors() {
            let trial = trial(&kernel, vectors, precision);
            for [b, t, h, g] in [[1, 1, 1, 1], [2, 5, 4, 2], [1, 150, 2, 1]] {
                let c = i64::from(channels);
                let mut buffers = forward_results(precision, channels, mask, [b, t, h, g]);
                buffers.push(noise(b * t * h * c, 6));
                buffers.extend([noise(b * t * h * c, 7), noise(b * t * g * c, 8), noise(b * t * g * c, 9)]);
                let table = (t + 3) * i64::from(turned / 2);
                let places = (0..b * t).map(|token| (token * 7 % t) as f64).collect();
                buffers.extend([noise(table, 10), noise(table, 11), if documents { places } else { vec![3.0] }]);
                trial.check_within(&buffers, &[b, t, h, g], |largest| 5e-6 * largest.max(1.0));
            }
        }
    }
}

/// B, T, H, G and the lengths of the documents of each sequence.
const DOCUMENTS: [([i64; 4], &[i64]); 4] = [
    ([1, 1, 1, 1], &[1]),
    ([2, 5, 4, 2], &[3, 1, 1, 5]),
    ([1, 64, 2, 2], &[63, 1]),
    ([2, 230, 2, 1], &[1, 110, 2, 17, 100, 97, 97, 36]),
];

/// Where in its document each token stands.
fn places(lengths: &[i64]) -> Vec<f64> {
    lengths.iter().flat_map(|length| (0..*length).map(|place| place as f64)).collect()
}

#[test]
fn documents_apart() {
    let precision = Precision::F32;
    for vectors in all_vectors() {
        for (channels, mask) in [(37, AttentionMask::Causal), (8, AttentionMask::Window(30)), (20, AttentionMask::Full)]
        {
            let c = i64::from(channels);
            let forward = Body::Attention(Attention { precision, channels, mask, documents: true, scale: SCALE });
            let reads = [vec![Operand::READ; 3], vec![Operand::READ_I32]].concat();
            let forward = Kernel { body: forward, operands: [reads, vec![Operand::WRITE; 2]].concat() };
            let documents = true;
            let backward = AttentionBackward { precision, channels, mask, documents, scale: SCALE, rotary: None };
            let backward = Body::AttentionBackward(backward);
            let reads = [vec![Operand::READ; 6], vec![Operand::READ_I32]].concat();
            let backward = Kernel { body: backward, operands: [reads, vec![Operand::WRITE; 3]].concat() };
            let [forward_trial, backward_trial] = [&forward, &backward].map(|kernel| Trial::new(kernel, vectors));
            for ([b, t, h, g], lengths) in DOCUMENTS {
                let (sizes, places) = ([b, t, h, g], places(lengths));
                assert_eq!(places.len() as i64, b * t);
                let [q, k, v] = [noise(b * t * h * c, 1), noise(b * t * g * c, 2), noise(b * t * g * c, 3)];
                let mut buffers = vec![q, k, v, places.clone(), noise(b * t * h * c, 4), noise(b * t * h, 5)];
                forward_trial.check(&buffers, &sizes, 5e-6);
                evaluate_buffers(&forward, &sizes, &mut buffers);
                buffers.remove(3);
                buffers.extend([noise(b * t * h * c, 6), places]);
                buffers.extend([noise(b * t * h * c, 7), noise(b * t * g * c, 8), noise(b * t * g * c, 9)]);
                backward_trial.check_within(&buffers, &sizes, |largest| 5e-6 * largest.max(1.0));
            }
        }
    }
}
