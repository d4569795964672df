//! The interpreter against the sentences of the operations, written out once more in another way.

mod attention;
mod layout;
mod rows;
mod whole_graphs;

use super::*;
use crate::graph::{Builder, DType, Type};
use crate::random;
use crate::size::{Size, Symbols};

/// Numbers in [-1, 1), another draw for each `stream`.
pub(crate) fn noise(stream: u32, shape: &[usize]) -> Tensor {
    let elements = shape.iter().product::<usize>() as u64;
    let data = (0..elements).map(|i| 2.0 * random::uniform([1, 2], stream, i) - 1.0).collect();
    Tensor::f32(shape.to_vec(), data)
}

/// The type of a tensor whose sizes are numbers.
pub(crate) fn type_of(tensor: &Tensor) -> Type {
    let shape = tensor.shape.iter().map(|n| Size::constant(*n as i64)).collect();
    Type { dtype: tensor.dtype(), shape }
}

/// All results of one operation.
pub(crate) fn results(op: Op, operands: &[&Tensor]) -> Vec<Tensor> {
    let mut b = Builder::new("one", Symbols::default());
    let values: Vec<Value> = operands.iter().enumerate().map(|(i, x)| b.input(format!("x{i}"), type_of(x))).collect();
    let first = b.add(op, &values);
    for result in 0..b.graph().node(first.node).types.len() as u32 {
        let value = b.result(first, result);
        b.output(format!("y{result}"), value);
    }
    outputs(&b.finish(), operands)
}

/// What a graph without symbols hands back for these inputs.
pub(crate) fn outputs(graph: &Graph, inputs: &[&Tensor]) -> Vec<Tensor> {
    let mut memory = Memory::default();
    for (i, input) in inputs.iter().enumerate() {
        memory.set(Storage::Input(i as u32), (*input).clone());
    }
    interpret(graph, &SizeValues::new(&graph.symbols), &mut memory);
    (0..).map_while(|i| memory.remove(Storage::Output(i))).collect()
}

pub(crate) fn ids(shape: &[usize], data: &[i32]) -> Tensor {
    Tensor::i32(shape.to_vec(), data.to_vec())
}

/// Equal up to rounding.
pub(crate) fn assert_near(got: &Tensor, want: &Tensor) {
    assert_eq!(got.shape, want.shape);
    for (i, (got, want)) in got.floats().iter().zip(want.floats()).enumerate() {
        assert!((got - want).abs() <= 1e-13 * want.abs().max(1.0), "element {i}: {got}, not {want}");
    }
}

/// The tensor with element `f(index)` at each index.
pub(crate) fn from_fn(shape: &[usize], f: impl Fn(&[usize]) -> f64) -> Tensor {
    let mut data = Vec::new();
    for flat in 0..shape.iter().product() {
        let mut rest: usize = flat;
        let mut index = vec![0; shape.len()];
        for axis in (0..shape.len()).rev() {
            index[axis] = rest % shape[axis];
            rest /= shape[axis];
        }
        data.push(f(&index));
    }
    Tensor::f32(shape.to_vec(), data)
}

/// One element.
pub(crate) fn at(x: &Tensor, index: &[usize]) -> f64 {
    let flat = index.iter().zip(&x.shape).fold(0, |flat, (i, size)| flat * size + i);
    x.floats()[flat]
}

fn one(op: Op, operands: &[&Tensor]) -> Tensor {
    results(op, operands).remove(0)
}

fn sizes(shape: &[i64]) -> Vec<Size> {
    shape.iter().map(|n| Size::constant(*n)).collect()
}

#[test]
fn sources_fill_their_shape() {
    let mut b = Builder::new("sources", Symbols::default());
    let n = Size::symbol(crate::size::Symbol::BATCH);
    let seed = b.input("seed", Type::i32(sizes(&[2])));
    let values = [
        b.constant(1.5, Type::f32(sizes(&[2, 1]))),
        b.constant(3.0, Type::i32(sizes(&[1]))),
        b.size_of(n.clone() * n.clone() + Size::constant(1)),
        b.iota(1, vec![n, Size::constant(3)]),
        b.add(Op::Uniform { stream: 4, shape: sizes(&[2]) }, &[seed]),
    ];
    values.into_iter().enumerate().for_each(|(i, value)| b.output(i.to_string(), value));
    let graph = b.finish();
    let mut memory = Memory::default();
    memory.set(Storage::Input(0), ids(&[2], &[5, 6]));
    interpret(&graph, &SizeValues::new(&graph.symbols).with(crate::size::Symbol::BATCH, 2), &mut memory);
    let drawn = [0, 1].map(|i| random::uniform([5, 6], 4, i));
    let expected = [
        Tensor::f32(vec![2, 1], vec![1.5; 2]),
        ids(&[1], &[3]),
        Tensor::scalar(5.0),
        Tensor::f32(vec![2, 3], vec![0.0, 1.0, 2.0, 0.0, 1.0, 2.0]),
        Tensor::f32(vec![2], drawn.to_vec()),
    ];
    for (i, expected) in expected.iter().enumerate() {
        assert_eq!(memory.find(Storage::Output(i as u32)), Some(expected));
    }
}

#[test]
fn zeros_of_both_types() {
    assert_eq!(Tensor::zeros(DType::I32, vec![2]), ids(&[2], &[0, 0]));
    assert_eq!(Tensor::zeros(DType::F32, vec![]), Tensor::scalar(0.0));
}
