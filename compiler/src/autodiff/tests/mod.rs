//! Every gradient rule against central differences of the interpreter, in f64.

mod joining;
mod moving;
mod norms;
mod pointwise;
mod structure;

use crate::graph::{Builder, Op, Type, Value};
use crate::interpret::tests::{outputs, type_of};
use crate::interpret::{Data, Tensor};
use crate::size::{Size, Symbols};

pub(crate) use crate::interpret::tests::{ids, noise};

/// Checks the gradients of `y = build(inputs)` with respect to all f32 inputs, for a random upstream gradient.
fn check(name: &str, inputs: &[&Tensor], build: impl Fn(&mut Builder, &[Value]) -> Value) {
    let mut b = Builder::new(name, Symbols::default());
    let values: Vec<Value> = inputs.iter().enumerate().map(|(i, x)| b.input(format!("x{i}"), type_of(x))).collect();
    let y = build(&mut b, &values);
    let shape: Vec<usize> = b.ty(y).shape.iter().map(|s| s.as_constant().unwrap() as usize).collect();
    let weights = noise(1000, &shape);
    let weight = b.input("weight", type_of(&weights));
    let weighted = b.multiply(y, weight);
    let loss = b.total(weighted);
    let seed = b.constant(1.0, Type::f32(vec![]));
    let floats: Vec<usize> = (0..inputs.len()).filter(|i| matches!(inputs[*i].data, Data::F32(_))).collect();
    let wrt: Vec<Value> = floats.iter().map(|i| values[*i]).collect();
    let gradients = super::differentiate(&mut b, loss, seed, &wrt);
    b.output("loss", loss);
    gradients.into_iter().for_each(|gradient| b.output("gradient", gradient));
    let graph = b.finish();
    let run = |inputs: &[&Tensor]| outputs(&graph, &[inputs, &[&weights]].concat());

    let results = run(inputs);
    for (i, gradient) in floats.into_iter().zip(&results[1..]) {
        assert_eq!(gradient.shape, inputs[i].shape, "{name}, operand {i}");
        let loss_at = |element: usize, step: f64| {
            let mut moved = inputs[i].clone();
            let Data::F32(data) = &mut moved.data else { unreachable!() };
            data[element] += step;
            let mut inputs = inputs.to_vec();
            inputs[i] = &moved;
            run(&inputs)[0].floats()[0]
        };
        let largest = gradient.floats().iter().fold(1.0f64, |m, x| m.max(x.abs()));
        for (element, got) in gradient.floats().iter().enumerate() {
            let want = difference(|step| loss_at(element, step));
            assert!((got - want).abs() < 1e-8 * largest, "{name}, operand {i}, element {element}: {got}, not {want}");
        }
    }
}

/// f'(0) from f at ±h and ±2h: the error is of order h⁴.
fn difference(f: impl Fn(f64) -> f64) -> f64 {
    let h = 1e-3;
    (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h)
}

fn sizes(shape: &[i64]) -> Vec<Size> {
    shape.iter().map(|n| Size::constant(*n)).collect()
}

/// Moves noise into [low, high).
fn between(low: f64, high: f64, x: &Tensor) -> Tensor {
    let data = x.floats().iter().map(|x| low + (high - low) * 0.5 * (x + 1.0)).collect();
    Tensor::f32(x.shape.clone(), data)
}
