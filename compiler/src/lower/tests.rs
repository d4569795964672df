//! What is drawn while training, interpreted.

use super::lower;
use crate::check::tests::sources_and_model;
use crate::compiled::Entry;
use crate::interpret::{Memory, Tensor, interpret};
use crate::model::Model;
use crate::size::SizeValues;
use crate::storage::Storage;

/// The mean of the squares of what becomes of the numbers 1 to 6, which are one sequence.
fn model(layer: &str) -> Model {
    let text = format!("model m {{\n  forward(x: [2, 3]) {{\n    y = {layer}\n  }}\n\n  loss = mean(y * y)\n}}\n");
    sources_and_model(&text).1
}

fn loss(model: &Model, entry: &Entry, seed: i32) -> f64 {
    let (graph, _) = lower(model, entry);
    let mut memory = Memory::default();
    for (i, input) in graph.inputs.iter().enumerate() {
        let value = match input.name.as_str() {
            "x" => Tensor::f32(vec![1, 2, 3], (1..=6).map(f64::from).collect()),
            "seed" => Tensor::i32(vec![2], vec![seed, 7]),
            _ => Tensor::f32(Vec::new(), vec![1.0]),
        };
        memory.set(Storage::Input(i as u32), value);
    }
    interpret(&graph, &SizeValues::new(&graph.symbols), &mut memory);
    memory.remove(Storage::Output(0)).expect("the loss").floats()[0]
}

#[test]
fn a_path_is_dropped_as_a_whole_or_not_at_all() {
    let model = model("drop_path(x, 25%)");
    let whole = 91.0 / 6.0;
    assert!((loss(&model, &Entry::Evaluate, 0) - whole).abs() < 1e-12, "nothing is dropped outside of training");
    let losses: Vec<f64> = (0..400).map(|seed| loss(&model, &Entry::Gradient, seed)).collect();
    let kept = whole / (0.75 * 0.75);
    let dropped = losses.iter().filter(|loss| **loss == 0.0).count();
    assert!(losses.iter().all(|loss| *loss == 0.0 || (loss - kept).abs() < 1e-12));
    assert!((70..=130).contains(&dropped), "{dropped} of 400");
}

#[test]
fn outside_of_training_nested_dropout_shows_as_many_tokens_as_are_asked_for() {
    let mut model = model("x * first(x, uniform(50%, 100%))");
    let mut shown = |fraction| {
        model.show_first(fraction);
        6.0 * loss(&model, &Entry::Evaluate, 0)
    };
    // Of three columns: one, two and all.
    let columns = [1.0 + 16.0, 4.0 + 25.0, 9.0 + 36.0];
    for (fraction, count) in [(0.2, 1), (1.0 / 3.0, 1), (0.34, 2), (0.9, 3), (1.0, 3)] {
        let expected: f64 = columns[..count].iter().sum();
        assert!((shown(fraction) - expected).abs() < 1e-12, "{fraction}");
    }
}
