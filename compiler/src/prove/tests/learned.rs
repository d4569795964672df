//! What is said of learning against a few steps of gradient descent in the interpreter.

use super::measured::{BATCH, OLD, grown, noise};
use super::*;
use crate::autodiff::differentiate;
use crate::graph::Reduction;
use crate::interpret::{Memory, Tensor, interpret};

const COPIES: usize = 2;

/// The gradients of Σ y² with respect to keys and values.
fn gradients(theta: Theta) -> Layer {
    gradients_of(|b, a| activation(b, theta, 0.0, a))
}

/// The same with any function from scores to weights.
pub(super) fn gradients_of(activation: impl Fn(&mut Builder, Value) -> Value) -> Layer {
    let mut symbols = Symbols::default();
    let tokens = symbols.add_tokens("n", 0);
    let mut b = Builder::new("gradient", symbols);
    let (y, parameters) = build_with(&mut b, tokens, activation);
    let squares = b.multiply(y, y);
    let loss = b.reduce(Reduction::Sum, &[0, 1], squares);
    let loss = b.reshape(loss, &[]);
    let seed = b.constant(1.0, Type::f32(Vec::new()));
    let gradients = differentiate(&mut b, loss, seed, &parameters);
    for (index, gradient) in [KEYS, VALUES].into_iter().zip(gradients) {
        b.store("gradient", gradient, Storage::Gradient(index), false);
    }
    Layer { graph: b.finish(), tokens }
}

/// Keys and values right after the growth and after some steps.
fn descend(layer: &Layer, growing: &Growing) -> [[Vec<f64>; 2]; 2] {
    let (width, tokens) = (WIDTH as usize, OLD as usize * COPIES);
    let sizes = growing.new.clone().with(Symbol::BATCH, BATCH as i64);
    let start = [KEYS, VALUES].map(|index| {
        let old = noise(2 + index, OLD as usize * width);
        grown(&old, &growing.rows[index as usize], 2 + index, COPIES * old.len())
    });
    let mut now = start.clone();
    let mut memory = Memory::default();
    memory.set(Storage::Input(0), Tensor::f32(vec![BATCH, width], noise(1, BATCH * width)));
    memory.set(Storage::Scale(0), Tensor::scalar(2.5));
    for _ in 0..3 {
        for index in [KEYS, VALUES] {
            let tensor = Tensor::f32(vec![tokens, width], now[index as usize].clone());
            memory.set(Storage::Parameter(index), tensor);
        }
        interpret(&layer.graph, &sizes, &mut memory);
        for index in [KEYS, VALUES] {
            let gradient = memory.find(Storage::Gradient(index)).expect("the graph stores it").floats();
            now[index as usize].iter_mut().zip(gradient).for_each(|(w, g)| *w -= 0.05 * g);
        }
    }
    [start, now]
}

#[test]
fn what_never_learns_does_not_move_and_copies_stay_equal() {
    for theta in Theta::ALL {
        let layer = gradients(theta);
        for way in ways() {
            let growing = growing(&layer, theta, &way, (OLD, OLD * COPIES as i64));
            let learning = learning(&layer.graph, &growing);
            let [start, end] = descend(&layer, &growing);
            for index in [KEYS, VALUES] {
                let at = index as usize;
                let half = start[at].len() / 2;
                let what = format!("{theta:?}, {}, {index}", way.name);
                assert_eq!(learning.never.contains(&index), start[at][half..] == end[at][half..], "{what}");
                let apart = end[at][..half].iter().zip(&end[at][half..]).fold(0f64, |m, (a, b)| m.max((a - b).abs()));
                assert_eq!(learning.as_copies.contains(&index), apart < 1e-12, "{what}: {apart}");
            }
        }
    }
}

#[test]
fn tokens_of_zeros_learn_only_where_something_sees_them() {
    let ways = ways();
    let both_zero = ways.iter().find(|way| way.name == "both zero, scale kept").expect("it is in the table");
    for theta in Theta::ALL {
        let before = gradients(theta);
        for layer in [&before, &optimized(&before)] {
            let growing = growing(layer, theta, both_zero, (OLD, 2 * OLD));
            let never = learning(&layer.graph, &growing).never;
            match theta {
                Theta::L2Gelu | Theta::GeluL2 | Theta::Gelu => assert_eq!(never, [KEYS, VALUES], "{theta:?}"),
                Theta::Softmax | Theta::GeluLayerNorm => assert_eq!(never, [0; 0], "{theta:?}"),
            }
        }
    }
}
