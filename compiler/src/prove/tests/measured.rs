//! The proofs against the interpreter: weights are grown as told, both models are run, and the change is measured.

use super::*;
use crate::interpret::{Memory, Tensor, interpret};
use crate::random::uniform;

pub(super) const BATCH: usize = 5;
pub(super) const OLD: i64 = 8;

/// Numbers that look random: a function of stream and index.
pub(super) fn noise(stream: u32, elements: usize) -> Vec<f64> {
    (0..elements as u64).map(|i| uniform([17, 0], stream, i) - 0.5).collect()
}

/// A parameter whose first axis grows, after the growth.
pub(super) fn grown(old: &[f64], rows: &NewRows, stream: u32, elements: usize) -> Vec<f64> {
    let added = elements - old.len();
    let copies = elements / old.len();
    match rows {
        NewRows::Number(value, _) => [old, &vec![*value; added]].concat(),
        NewRows::Drawn(_) => [old, &noise(stream + 1000, added)].concat(),
        NewRows::Copies => old.repeat(copies),
        NewRows::DividedCopies => old.repeat(copies).iter().map(|x| x / copies as f64).collect(),
    }
}

/// The largest change of an element, relative to the largest element.
pub(super) fn change(before: &[f64], after: &[f64]) -> f64 {
    let largest = before.iter().fold(0f64, |m, x| m.max(x.abs()));
    before.iter().zip(after).fold(0f64, |m, (x, y)| m.max((x - y).abs())) / largest
}

fn run(layer: &Layer, tokens: i64, keys: Vec<f64>, values: Vec<f64>, scale: f64) -> Vec<f64> {
    let width = WIDTH as usize;
    let sizes = SizeValues::new(&layer.graph.symbols).with(layer.tokens, tokens).with(Symbol::BATCH, BATCH as i64);
    let mut memory = Memory::default();
    memory.set(Storage::Input(0), Tensor::f32(vec![BATCH, width], noise(1, BATCH * width)));
    memory.set(Storage::Parameter(KEYS), Tensor::f32(vec![tokens as usize, width], keys));
    memory.set(Storage::Parameter(VALUES), Tensor::f32(vec![tokens as usize, width], values));
    memory.set(Storage::Scale(0), Tensor::scalar(scale));
    interpret(&layer.graph, &sizes, &mut memory);
    memory.find(Storage::Output(0)).expect("the layer has an output").floats().to_vec()
}

pub(super) fn measured(layer: &Layer, growing: &Growing, copies: usize) -> f64 {
    let elements = (OLD * WIDTH) as usize;
    let (keys, values, scale) = (noise(2, elements), noise(3, elements), 2.5);
    let factor = match &growing.scales[0] {
        ScaleChange::None | ScaleChange::Kept { .. } => 1.0,
        ScaleChange::Moves { factor, .. } => *factor,
        ScaleChange::Unknown => f64::NAN,
    };
    let new_keys = grown(&keys, &growing.rows[KEYS as usize], 2, copies * elements);
    let new_values = grown(&values, &growing.rows[VALUES as usize], 3, copies * elements);
    let before = run(layer, OLD, keys, values, scale);
    let after = run(layer, OLD * copies as i64, new_keys, new_values, scale * factor);
    change(&before, &after)
}

#[test]
fn the_proof_agrees_with_the_measured_change() {
    for theta in Theta::ALL {
        let layer = layer(theta, 0.0);
        for way in ways() {
            for copies in [2, 3] {
                let growing = growing(&layer, theta, &way, (OLD, OLD * copies as i64));
                let change = measured(&layer, &growing, copies);
                match preservation(&layer.graph, &growing) {
                    Verdict::Preserves { .. } => assert!(change < 1e-14, "{theta:?}, {}: {change}", way.name),
                    Verdict::Changes { .. } => assert!(change > 1e-3, "{theta:?}, {}: {change}", way.name),
                    Verdict::NearlyPreserves { because, .. } | Verdict::Unproven { because, .. } => {
                        panic!("{theta:?}, {}: {because}", way.name)
                    }
                }
            }
        }
    }
}
