//! Attention of a single query to a cache: scores are dots with keys where they lie, the output is a combination of values.

use super::KEYS;
use super::softmax::LOWEST;
use crate::gemm::{Few, Numbers, round_up};
use crate::kernels::scratch::Scratch;
use crate::math::exp2_of_softmax;
use crate::mlir::{Function, Index, Lanes, Pointer, Vector};
use std::f32::consts::LOG2_E;
use tfc_compiler::graph::AttentionMask;
use tfc_compiler::kernel::CachedAttention;

/// No register has more lanes.
const WIDEST: i64 = 16;

/// The rows of one head.
#[derive(Clone, Copy)]
pub struct Head<'f> {
    pub query: Pointer<'f>,
    pub keys: Pointer<'f>,
    pub values: Pointer<'f>,
    /// The distance of keys, and of values.
    pub stride: Index<'f>,
    pub out: Pointer<'f>,
}

/// Scores of a block of keys, and the output before it is divided.
fn parts(channels: u32) -> [i64; 2] {
    [KEYS, channels.into()].map(|elements| round_up(elements, WIDEST))
}

/// f32 of scratch.
pub fn scratch_elements(channels: u32) -> i64 {
    Scratch::total(&parts(channels))
}

/// The output of the query at `position`.
pub fn attend<'f>(
    f: &'f Function<'f>,
    scratch: Pointer<'f>,
    body: &CachedAttention,
    head: Head<'f>,
    position: Index<'f>,
) {
    let (channels, width, zero) = (f.index(body.channels.into()), f.vectors().width as i64, f.index(0));
    let [scores, sums] = Scratch::divide(scratch, parts(body.channels));
    // Scores are in units of log 2, as in the tiles.
    let scale = body.scale.0 as f32 * LOG2_E;
    let first = match body.mask {
        AttentionMask::Full | AttentionMask::Causal => zero,
        AttentionMask::Window(width) => (position + (1 - i64::from(width))).or_at_least(zero),
    };
    let alone = Few {
        numbers: Numbers::F32,
        a: head.query,
        a_leading: zero,
        rows: f.index(1),
        b: head.keys.into(),
        b_leading: head.stride,
        columns: channels,
        depth: channels,
        sums: scores,
        sums_leading: zero,
        accumulate: f.truth(false),
    };
    let begin = (f.vector(LOWEST), f.vector(0.0));
    let (_, total) = f.carry(first, position + 1, KEYS, begin, |key, (largest, total)| {
        let count = (position + 1 - key).or_at_most(f.index(KEYS));
        let lanes = |i: Index<'f>| Lanes::Some((count - i).lanes());
        Few { b: head.keys.at(key * head.stride).into(), columns: count, ..alone }.dots(f);
        let score = |i: Index<'f>| lanes(i).or(scores.load_vector(i) * scale, f.vector(LOWEST));
        let highest = f.carry(zero, count, width, largest, |i, highest: Vector<'f>| highest.or_at_least(score(i)));
        let highest = highest.largest().splat();
        let fade = exp2_of_softmax(largest - highest);
        let total = f.carry(zero, count, width, total * fade, |i, total| {
            let weight = lanes(i).or(exp2_of_softmax(score(i) - highest), f.vector(0.0));
            scores.store_vector(i, weight);
            total + weight
        });
        let later = first.less(key);
        f.when(later, || {
            f.each(zero, channels, width, |i| sums.store_vector(i, sums.load_vector(i) * fade));
        });
        let values = head.values.at(key * head.stride);
        Few { a: scores, b: values.into(), depth: count, sums, accumulate: later, ..alone }.combinations(f);
        (highest, total)
    });
    let share = f.vector(1.0) / total.sum().splat();
    f.strips(zero, channels, |i, lanes| head.out.store_lanes(i, sums.load_vector(i) * share, lanes));
}
