//! The kernels whose machine code is looked at: those of training the models of all specs, evaluating them and generating text with them, each once, in both precisions; attention in heads of many
//! lengths; and bare products of matrices in bf16.

use super::side_by_side::side_by_side;
use crate::support::{spec_with, specs};
use tfc_compiler::compile::compile_for_gpu;
use tfc_compiler::compiled::Entry;
use tfc_compiler::graph::AttentionMask;
use tfc_compiler::kernel::{Attention, AttentionBackward, Body, CachedAttention, Contraction, Kernel, Number, Operand};
use tfc_compiler::lower::can_decode;
use tfc_compiler::precision::Precision;

/// Channels of a head: those that are computed in one piece and in parts, and in rows of whole registers and others.
const LENGTHS: [u32; 26] = [
    1, 7, 16, 32, 40, 48, 64, 72, 80, 88, 96, 100, 112, 120, 128, 129, 144, 150, 160, 176, 192, 208, 224, 240, 250, 256,
];

/// In an order that another spec does not change.
pub fn kernels() -> Vec<Kernel> {
    let precisions = [Precision::F32, Precision::Bf16];
    let pairs = precisions.into_iter().flat_map(|precision| specs().into_iter().map(move |spec| (precision, spec)));
    let of_specs = side_by_side(&pairs.collect::<Vec<_>>(), |(precision, spec)| of_spec(spec, *precision));
    let of_lengths = LENGTHS.into_iter().flat_map(attention);
    let products = [(false, false), (false, true), (true, false), (true, true)].map(narrow);
    let mut distinct: Vec<Kernel> = Vec::new();
    for kernel in of_specs.into_iter().flatten().chain(of_lengths).chain(products) {
        if !distinct.contains(&kernel) {
            distinct.push(kernel);
        }
    }
    distinct
}

fn of_spec(spec: &str, precision: Precision) -> Vec<Kernel> {
    let model = spec_with(spec, &[&format!("train.precision={}", precision.name())]);
    let mut entries = vec![Entry::Gradient, Entry::AddGradient, Entry::Update, Entry::Evaluate];
    entries.extend(can_decode(&model).is_ok().then_some(Entry::Decode));
    compile_for_gpu(model, &entries).program.kernels
}

/// Attention, attention to a cache, and the gradients of attention, of a causal model and of whole documents, in f32: they are the same in bf16.
fn attention(channels: u32) -> [Kernel; 4] {
    let (precision, mask, documents, scale) = (Precision::F32, AttentionMask::Causal, false, Number(0.0625));
    let kernel = |body, reads: [usize; 2], writes: usize| {
        let [floats, ints] = reads;
        let operands = [vec![Operand::READ; floats], vec![Operand::READ_I32; ints], vec![Operand::WRITE; writes]];
        Kernel { body, operands: operands.concat() }
    };
    let gradients = |mask, documents| {
        let body = AttentionBackward { precision, channels, mask, documents, scale, rotary: None };
        kernel(Body::AttentionBackward(body), [6, documents.into()], 3)
    };
    [
        kernel(Body::Attention(Attention { precision, channels, mask, documents, scale }), [3, 0], 2),
        kernel(Body::CachedAttention(CachedAttention { channels, mask, scale }), [3, 1], 1),
        gradients(mask, documents),
        gradients(AttentionMask::Full, true),
    ]
}

/// A bare product of matrices in bf16, each as it is multiplied or the other way round.
pub fn narrow((transpose_a, transpose_b): (bool, bool)) -> Kernel {
    let body = Contraction::product(Precision::Bf16, transpose_a, transpose_b);
    Kernel { body: Body::Contraction(body), operands: vec![Operand::READ_BF16, Operand::READ_BF16, Operand::WRITE] }
}
