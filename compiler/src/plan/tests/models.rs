//! Graphs of the shapes that models have, by hand.

use super::*;
use crate::autodiff::differentiate;
use crate::graph::{AttentionMask, Builder, DType, Op, Reduction, Type, Value};
use crate::interpret::Tensor;
use crate::scalar::{Binary, Unary};
use crate::size::{Size, Symbol, Symbols};
use crate::storage::Storage;

/// A builder and the symbol of one token group.
pub fn builder(name: &str) -> (Builder, Size) {
    let mut symbols = Symbols::default();
    let n = Size::symbol(symbols.add_tokens("tokens", 0));
    (Builder::new(name, symbols), n)
}

pub fn parameter(b: &mut Builder, index: u32, shape: &[Size]) -> Value {
    b.load(Storage::Parameter(index), Type::f32(shape.to_vec()))
}

pub fn tokens(width: i64) -> Vec<Size> {
    vec![Symbol::BATCH.into(), Symbol::SEQUENCE.into(), width.into()]
}

/// GELU(τ·a/‖a‖)·V with a = x·Kᵀ; parameters `first` and `first + 1`, scale `first`.
pub fn pattention(b: &mut Builder, x: Value, n: &Size, width: i64, first: u32) -> (Value, [Value; 2]) {
    let keys = parameter(b, first, &[n.clone(), width.into()]);
    let values = parameter(b, first + 1, &[n.clone(), width.into()]);
    let scale = b.load(Storage::Scale(first), Type::f32(vec![]));
    let a = b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[x, keys]);
    let normal = b.add(Op::L2Normalize { eps: 0.0 }, &[a]);
    let scale = b.spread(scale, normal);
    let scaled = b.multiply(normal, scale);
    let s = b.unary(Unary::Gelu, scaled);
    (b.add(Op::MatMul { transpose_a: false, transpose_b: false }, &[s, values]), [keys, values])
}

/// A residual block: x + pattention(layernorm(x)), forward and backward.
pub fn block_gradient() -> Graph {
    let (mut b, n) = builder("gradient");
    let x = b.input("x", Type::f32(tokens(8)));
    let g = b.input("g", Type::f32(tokens(8)));
    let h = b.add(Op::LayerNorm { eps: 1e-5 }, &[x]);
    let (o, [keys, values]) = pattention(&mut b, h, &n, 8, 0);
    let y = b.binary(Binary::Add, x, o);
    let gradients = differentiate(&mut b, y, g, &[x, keys, values]);
    b.output("y", y);
    b.output("gradient of x", gradients[0]);
    b.store("keys", gradients[1], Storage::Gradient(0), true);
    b.store("values", gradients[2], Storage::Gradient(1), true);
    b.finish()
}

/// Numbers for the symbols, and noise for what is loaded.
pub fn call(graph: &Graph, ids_below: i32) -> (SizeValues, Memory) {
    let mut sizes = SizeValues::new(&graph.symbols);
    for (symbol, number) in [(Symbol::BATCH, 2), (Symbol::SEQUENCE, 5), (Symbol::CAPACITY, 9)] {
        sizes.set(symbol, number);
    }
    if let Some(n) = graph.symbols.find("tokens") {
        sizes.set(n, 7);
    }
    let mut memory = Memory::default();
    let mut stream = 0u32;
    for id in graph.ids() {
        if let Op::Load(storage) = graph.node(id).op {
            let ty = &graph.node(id).types[0];
            let shape: Vec<usize> = ty.shape.iter().map(|s| s.eval(&sizes) as usize).collect();
            let noise = |i: usize| 2.0 * crate::random::uniform([3, 4], stream, i as u64) - 1.0;
            let elements: usize = shape.iter().product();
            let tensor = match ty.dtype {
                DType::F32 => Tensor::f32(shape, (0..elements).map(noise).collect()),
                DType::I32 => Tensor::i32(
                    shape,
                    (0..elements).map(|i| ((noise(i) + 1.0) / 2.0 * f64::from(ids_below)) as i32).collect(),
                ),
            };
            memory.set(storage, tensor);
            stream += 1;
        }
    }
    for output in &graph.outputs {
        if output.accumulate {
            let shape: Vec<usize> = graph.ty(output.value).shape.iter().map(|s| s.eval(&sizes) as usize).collect();
            let elements: usize = shape.iter().product();
            memory.set(output.target, Tensor::f32(shape, (0..elements).map(|i| i as f64).collect()));
        }
    }
    (sizes, memory)
}

fn optimized(graph: &Graph) -> Graph {
    passes::optimize(graph, &[], |_, _| {})
}

#[test]
fn a_residual_pattention_forward_and_backward() {
    let graph = optimized(&block_gradient());
    let (sizes, memory) = call(&graph, 5);
    let program = check(&graph, &sizes, &memory);
    insta::assert_snapshot!(program);
}
