//! Graphs of the shapes that models have, by hand.

use super::*;
use crate::autodiff::differentiate;
use crate::graph::{AttentionMask, Builder, DType, Op, Reduction, Type, Value};
use crate::interpret::Tensor;
use crate::model::{Init, Parameter, Role};
use crate::scalar::{Binary, Unary};
use crate::size::{Size, Symbol, Symbols};
use crate::storage::Storage;
use tfc_grammar::span::{Sources, Span};

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

/// GELU(a/‖a‖)·V with a = x·Kᵀ, of whose columns the k largest of each row are kept; forward and backward.
pub fn routed_gradient(k: &Size) -> Graph {
    let (mut b, n) = builder("gradient");
    let x = b.input("x", Type::f32(tokens(8)));
    let g = b.input("g", Type::f32(tokens(8)));
    let [keys, values] = [0, 1].map(|index| parameter(&mut b, index, &[n.clone(), 8.into()]));
    let a = b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[x, keys]);
    let mask = b.add(Op::TopK { k: k.clone() }, &[a]);
    let kept = b.multiply(a, mask);
    let normal = b.add(Op::L2Normalize { eps: 0.0 }, &[kept]);
    let s = b.unary(Unary::Gelu, normal);
    let y = b.add(Op::MatMul { transpose_a: false, transpose_b: false }, &[s, values]);
    let gradients = differentiate(&mut b, y, g, &[x, keys, values]);
    b.output("y", y);
    b.output("gradient of x", gradients[0]);
    b.store("keys", gradients[1], Storage::Gradient(0), false);
    b.store("values", gradients[2], Storage::Gradient(1), false);
    b.finish()
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

/// Numbers for the symbols, and noise for what is loaded; ids are below a number.
pub fn call(graph: &Graph, ids_below: i32) -> (SizeValues, Memory) {
    let mut sizes = SizeValues::new(&graph.symbols);
    for (symbol, number) in [(Symbol::BATCH, 2), (Symbol::SEQUENCE, 5), (Symbol::CAPACITY, 9)] {
        sizes.set(symbol, number);
    }
    if let Some(n) = graph.symbols.find("tokens") {
        sizes.set(n, 7);
    }
    let memory = memory(graph, &sizes, ids_below);
    (sizes, memory)
}

/// Noise for what is loaded and for what is added to.
pub fn memory(graph: &Graph, sizes: &SizeValues, ids_below: i32) -> Memory {
    let mut memory = Memory::default();
    let loads = graph.ids().filter_map(|id| match graph.node(id).op {
        Op::Load(storage) => Some((storage, graph.node(id).types[0].clone())),
        _ => None,
    });
    let sums = graph.outputs.iter().filter(|o| o.accumulate).map(|o| (o.target, graph.ty(o.value).clone()));
    for (stream, (storage, ty)) in loads.chain(sums).enumerate() {
        let shape: Vec<usize> = ty.shape.iter().map(|s| s.eval(sizes) as usize).collect();
        let elements = 0..shape.iter().product::<usize>();
        let noise = |i: usize| crate::random::uniform([3, 4], stream as u32, i as u64);
        let tensor = match ty.dtype {
            DType::F32 | DType::BF16 => Tensor::f32(shape, elements.map(|i| 2.0 * noise(i) - 1.0).collect()),
            DType::I32 => Tensor::i32(shape, elements.map(|i| (noise(i) * f64::from(ids_below)) as i32).collect()),
        };
        memory.set(storage, tensor);
    }
    memory
}

fn heads(b: &mut Builder, x: Value, heads: i64) -> Value {
    let channels = b.ty(x).shape[2].as_constant().unwrap() / heads;
    b.reshape(x, &[Symbol::BATCH.into(), Symbol::SEQUENCE.into(), heads.into(), channels.into()])
}

fn linear(b: &mut Builder, x: Value, from: i64, to: i64, index: u32) -> (Value, Value) {
    let w = parameter(b, index, &[to.into(), from.into()]);
    (b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[x, w]), w)
}

fn affine_layer_norm(b: &mut Builder, x: Value, index: u32) -> (Value, [Value; 2]) {
    let width = b.ty(x).shape[2].clone();
    let normal = b.add(Op::LayerNorm { eps: 1e-5 }, &[x]);
    let [gain, bias] = [0, 1].map(|i| parameter(b, index + i, std::slice::from_ref(&width)));
    let shape = b.ty(x).shape.clone();
    let [wide_gain, wide_bias] = [gain, bias].map(|v| {
        let row = b.reshape(v, &[1.into(), 1.into(), width.clone()]);
        b.broadcast(row, &shape)
    });
    let scaled = b.multiply(normal, wide_gain);
    (b.binary(Binary::Add, scaled, wide_bias), [gain, bias])
}

/// Ids to a loss and all gradients: a tied embedding, one attention with rotary positions and grouped keys, a feed-forward, dropout.
pub fn language_model(accumulate: bool) -> Graph {
    let (mut b, _) = builder("gradient");
    let rows = [Symbol::BATCH, Symbol::SEQUENCE].map(Size::symbol);
    let ids = b.input("ids", Type::i32(vec![rows[0].clone(), rows[1].clone() + Size::constant(1)]));
    let weight = b.input("loss_weight", Type::f32(vec![]));
    let seed = b.input("seed", Type::i32(vec![2.into()]));
    let slice = |start: i64| Op::Slice { axis: 1, start: start.into(), length: rows[1].clone() };
    let [inputs, labels] = [0, 1].map(|start| b.add(slice(start), &[ids]));
    let table = parameter(&mut b, 0, &[11.into(), 8.into()]);
    let x = b.add(Op::Embed, &[inputs, table]);

    let (h, norm) = affine_layer_norm(&mut b, x, 1);
    let zero = b.constant(0.0, Type::i32(vec![]));
    let [(q, wq), (k, wk), (v, wv)] = [(8, 3), (4, 4), (4, 5)].map(|(to, index)| linear(&mut b, h, 8, to, index));
    let [q, k, v] = [(q, 4), (k, 2), (v, 2)].map(|(x, count)| heads(&mut b, x, count));
    let rope = Op::Rope { channels: 2, base: 1e4, inverse: false };
    let [q, k] = [q, k].map(|x| b.add(rope.clone(), &[x, zero]));
    let attended = b.add(Op::Attention { mask: AttentionMask::Causal, scale: 0.7 }, &[q, k, v]);
    let merged = b.reshape(attended, &tokens(8));
    let (o, wo) = linear(&mut b, merged, 8, 8, 6);
    let uniform = b.add(Op::Uniform { stream: 0, shape: tokens(8) }, &[seed]);
    let rate = b.like(uniform, 0.25);
    let keep = b.binary(Binary::LessOrEqual, rate, uniform);
    let dropped = b.multiply(o, keep);
    let x = b.binary(Binary::Add, x, dropped);

    let (up, w_up) = linear(&mut b, x, 8, 12, 7);
    let active = b.unary(Unary::GeluTanh, up);
    let (down, w_down) = linear(&mut b, active, 12, 8, 8);
    let y = b.binary(Binary::Add, x, down);

    let logits = b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[y, table]);
    let loss = b.add(Op::CrossEntropy, &[logits, labels]);
    let loss = b.total(loss);
    let all = [table, norm[0], norm[1], wq, wk, wv, wo, w_up, w_down];
    let gradients = differentiate(&mut b, loss, weight, &all);
    b.output("loss", loss);
    for (i, gradient) in gradients.into_iter().enumerate() {
        b.store(format!("parameter {i}"), gradient, Storage::Gradient(i as u32), accumulate);
    }
    b.finish()
}

/// Two positions of cached attention, then the most likely class.
pub fn decode() -> Graph {
    let (mut b, _) = builder("decode");
    let ids = b.input("ids", Type::i32(vec![Symbol::BATCH.into(), Symbol::SEQUENCE.into()]));
    let position = b.input("position", Type::i32(vec![]));
    let table = parameter(&mut b, 0, &[11.into(), 8.into()]);
    let x = b.add(Op::Embed, &[ids, table]);
    let x = heads(&mut b, x, 2);
    let q = b.add(Op::Rope { channels: 4, base: 1e4, inverse: false }, &[x, position]);
    let cache_shape = vec![Symbol::BATCH.into(), Symbol::CAPACITY.into(), 2.into(), 4.into()];
    let caches = [0, 1].map(|i| {
        let before = b.load(Storage::Cache(i), Type::f32(cache_shape.clone()));
        let after = b.add(Op::CacheWrite, &[before, q, position]);
        b.store("", after, Storage::Cache(i), false);
        after
    });
    let mask = AttentionMask::Causal;
    let out = b.add(Op::CachedAttention { mask, scale: 0.5 }, &[q, caches[0], caches[1], position]);
    let out = b.reshape(out, &tokens(8));
    let start = Size::symbol(Symbol::SEQUENCE) - Size::constant(1);
    let last = b.add(Op::Slice { axis: 1, start, length: 1.into() }, &[out]);
    let logits = b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[last, table]);
    let likely = b.add(Op::ArgMax, &[logits]);
    b.output("logits", logits);
    b.output("likely", likely);
    b.finish()
}

/// Patches of an image, a class token before them, their mean after a product.
pub fn vision() -> Graph {
    let (mut b, _) = builder("named");
    let [batch, c] = [Size::symbol(Symbol::BATCH), Size::constant(1)];
    let image = b.input("image", Type::f32(vec![batch.clone(), 3.into(), 8.into(), 8.into()]));
    let class = parameter(&mut b, 0, &[12.into()]);
    let cut = b.reshape(image, &[batch.clone(), 3.into(), 4.into(), 2.into(), 4.into(), 2.into()]);
    let turned = b.add(Op::Transpose { permutation: vec![0, 2, 4, 1, 3, 5] }, &[cut]);
    let patches = b.reshape(turned, &[batch.clone(), 16.into(), 12.into()]);
    let class = b.reshape(class, &[c.clone(), c.clone(), 12.into()]);
    let class = b.broadcast(class, &[batch.clone(), c, 12.into()]);
    let all = b.add(Op::Concat { axis: 1 }, &[class, patches]);
    let (y, w) = linear(&mut b, all, 12, 6, 1);
    let mean = b.reduce(Reduction::Sum, &[1], y);
    let g = b.input("g", b.ty(mean).clone());
    let gradients = differentiate(&mut b, mean, g, &[w]);
    b.output("mean", mean);
    b.output("gradient", gradients[0]);
    b.finish()
}

fn optimized(graph: &Graph) -> Graph {
    passes::optimize(graph, &[], |_, _| {})
}

#[test]
fn a_residual_pattention_forward_and_backward() {
    let graph = optimized(&block_gradient());
    let (sizes, memory) = call(&graph, 5);
    insta::assert_snapshot!(check(&graph, &sizes, &memory));
}

/// One row program chooses, masks and normalizes; the backward pass knows the choice by two numbers per row.
#[test]
fn a_routed_pattention_forward_and_backward() {
    let graph = optimized(&routed_gradient(&3.into()));
    let (sizes, memory) = call(&graph, 5);
    insta::assert_snapshot!(check(&graph, &sizes, &memory));
}

/// What is chosen from is computed where that is cheap, and else stands in memory: a search walks along it again and again.
#[test]
fn what_is_chosen_from_comes_from_memory_unless_it_is_cheap() {
    let reads = |costly: bool| {
        let (mut b, _) = builder("named");
        let x = b.input("x", Type::f32(tokens(8)));
        let scores = if costly { b.add(Op::Softmax, &[x]) } else { b.multiply(x, x) };
        let mask = b.add(Op::TopK { k: 3.into() }, &[scores]);
        let y = b.multiply(x, mask);
        b.output("y", y);
        let graph = optimized(&b.finish());
        let (sizes, memory) = call(&graph, 5);
        check(&graph, &sizes, &memory).kernels.len()
    };
    assert_eq!([false, true].map(reads), [1, 2]);
}

/// It walks along the row many times.
#[test]
fn a_search_is_not_counted_as_one_operation() {
    let (mut b, _) = builder("named");
    let (x, k) = (b.input("x", Type::f32(tokens(8))), b.input("k", Type::f32(tokens(1))));
    let y = b.add(Op::KthLargest, &[x, k]);
    b.output("y", y);
    let graph = b.finish();
    let (sizes, _) = call(&graph, 5);
    let program = compile_entry(&graph, Precision::F32, &Disabled::default());
    let flops: Vec<i64> = operations(&program, &program.plans[0], &sizes).iter().map(|o| o.cost.flops).collect();
    assert_eq!(flops, [2 * 5 * 8 * 17]);
}

#[test]
fn a_language_model_and_its_gradients() {
    let graph = optimized(&language_model(true));
    let (sizes, memory) = call(&graph, 11);
    insta::assert_snapshot!(check(&graph, &sizes, &memory));
}

/// The two terms of the table's gradient meet in its storage: the loss writes it, the embedding adds to it.
#[test]
fn a_language_model_that_writes_its_gradients() {
    let graph = optimized(&language_model(false));
    let (sizes, memory) = call(&graph, 11);
    insta::assert_snapshot!(check(&graph, &sizes, &memory));
}

#[test]
fn decoding_writes_the_caches_in_place() {
    let graph = optimized(&decode());
    let (sizes, mut memory) = call(&graph, 11);
    memory.set(Storage::Input(1), Tensor::i32(vec![], vec![3]));
    insta::assert_snapshot!(check(&graph, &sizes, &memory));
}

#[test]
fn patches_and_a_class_token() {
    let graph = optimized(&vision());
    let (sizes, memory) = call(&graph, 5);
    insta::assert_snapshot!(check(&graph, &sizes, &memory));
}

#[test]
fn one_kernel_steps_a_parameter() {
    let span = Span::new(Sources::default().add("m.tfm", ""), 0, 0);
    let mut symbols = Symbols::default();
    let tokens = Size::symbol(symbols.add_tokens("tokens", 0));
    let parameter = |path: &str, shape: &[Size], grows: Option<usize>| Parameter {
        path: path.into(),
        shape: shape.to_vec(),
        role: Role::Keys,
        init: Init::Zero,
        grows: grows.map(|axis| (axis, 0)).into_iter().collect(),
        span,
    };
    let parameters = [
        parameter("keys", &[tokens.clone(), 3.into()], Some(0)),
        parameter("values", &[tokens.clone(), 3.into()], Some(0)),
        parameter("turned", &[2.into(), tokens], Some(1)),
        parameter("bias", &[4.into()], None),
    ];
    let graph = optimized(&crate::update::update(&symbols, &parameters));
    let (sizes, memory) = call(&graph, 5);
    // Roots are taken of second moments.
    let mut memory = memory;
    for i in 0..4 {
        let moment = memory.find(Storage::SecondMoment(i)).unwrap().clone();
        let squares = moment.floats().iter().map(|x| x * x).collect();
        memory.set(Storage::SecondMoment(i), Tensor::f32(moment.shape, squares));
    }
    insta::assert_snapshot!(check(&graph, &sizes, &memory));
}

/// The loss over classes whose number is not known, so that a chunk is one block of rows; `square` makes the gradient depend on the loss.
fn loss_of_many_rows(square: bool) -> Graph {
    let (mut b, n) = builder("gradient");
    let h = b.input("h", Type::f32(tokens(4)));
    let labels = b.input("labels", Type::i32(tokens(4)[..2].to_vec()));
    let seed = b.input("seed", Type::f32(vec![]));
    let w = parameter(&mut b, 0, &[n, 4.into()]);
    let loss = b.add(Op::VocabularyLoss, &[h, w, labels]);
    let loss = if square { b.multiply(loss, loss) } else { loss };
    let total = b.total(loss);
    let gradients = differentiate(&mut b, total, seed, &[h, w]);
    b.output("loss", total);
    b.output("gradient of h", gradients[0]);
    b.store("w", gradients[1], Storage::Gradient(0), true);
    b.finish()
}

#[test]
fn the_vocabulary_loss_in_several_chunks() {
    for square in [false, true] {
        let graph = optimized(&loss_of_many_rows(square));
        let (sizes, _) = call(&graph, 7);
        let sizes = sizes.with(Symbol::SEQUENCE, 300);
        let memory = memory(&graph, &sizes, 7);
        let program = check(&graph, &sizes, &memory);
        let chunks = |step: &&Step| matches!(step, Step::Chunks { chunk: 768, .. });
        let found = program.plans[0].steps.iter().filter(chunks).count();
        assert_eq!(found, if square { 2 } else { 1 }, "the gradient is computed with the loss where it can be");
    }
}

/// Against the interpreter, so within the 1e-9 of [`close`] of each other; and each says something else about the plan.
#[test]
fn whatever_is_switched_off_models_compute_the_same() {
    let plan = |graph: &Graph, disabled: &Disabled| {
        let graph = passes::optimize(graph, &disabled.names(), |_, _| {});
        let (sizes, memory) = call(&graph, 11);
        check_without(&graph, disabled, &sizes, &memory).to_string()
    };
    let continued = super::levels::three_pattentions("decode");
    let graphs = [language_model(true), language_model(false), vision(), block_gradient(), continued];
    let whole: Vec<String> = graphs.iter().map(|graph| plan(graph, &Disabled::default())).collect();
    for optimization in Optimization::ALL {
        let disabled = Disabled::named(&[optimization.name().to_string()]).expect("its own name");
        let without: Vec<String> = graphs.iter().map(|graph| plan(graph, &disabled)).collect();
        // The fuser reads a graph from its outputs, so that it misses nothing that no output needs; and in none of these models does a value
        // take the place of its matrix; and memory is not short, nor a product long. How many rows there are is found out at run time, weights are for inference, narrow
        // is what products of bf16 are, pages, what threads share and what they do at once are the device's, and how code is written the back end's.
        let of_models = matches!(
            optimization,
            Optimization::Dce | Optimization::Takeover | Optimization::Checkpointing | Optimization::Segments
        );
        let elsewhere = matches!(optimization, Optimization::FewRows | Optimization::Weights | Optimization::Narrow);
        let of_devices =
            matches!(optimization, Optimization::LargePages | Optimization::SharedPacking | Optimization::Joining);
        let of_code = Disabled::code().has(optimization);
        let unseen = of_models || elsewhere || of_devices || of_code;
        assert!(without != whole || unseen, "{} does nothing", optimization.name());
    }
}

/// Two at a time: without its epilogue a sum is nowhere, unless what is added next needs it.
#[test]
fn whatever_two_are_switched_off_a_language_model_computes_the_same() {
    let planned = |optimization: &Optimization| !Disabled::code().has(*optimization);
    let names: Vec<String> = Optimization::ALL.iter().filter(|o| planned(o)).map(|o| o.name().to_string()).collect();
    for (i, first) in names.iter().enumerate() {
        for second in &names[i + 1..] {
            let disabled = Disabled::named(&[first.clone(), second.clone()]).expect("their own names");
            let graph = passes::optimize(&language_model(true), &disabled.names(), |_, _| {});
            let (sizes, memory) = call(&graph, 11);
            check_without(&graph, &disabled, &sizes, &memory);
        }
    }
}
