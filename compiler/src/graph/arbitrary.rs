//! Random valid graphs for property tests: a list of numbers is read as a list of choices, so that what fails shrinks.
//!
//! Batch 2, sequence 3, capacity 8, six parameter tokens; ids are below 5. Operations are applied to whatever value fits.

use super::{AttentionMask, Builder, DType, Graph, Op, Reduction, Type, Value};
use crate::interpret::tests::{ids, noise};
use crate::interpret::{Memory, Tensor};
use crate::scalar::{Binary, Unary};
use crate::size::{Size, SizeValues, Symbol, Symbols};
use crate::storage::Storage;
use proptest::prelude::*;

/// Which operations may be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Style {
    /// All, so that NaN, infinities and jumps occur.
    Wild,
    /// Only those where a small change of an operand makes a small change of the result.
    Smooth,
}

/// An operation and three numbers that say what it is applied to and how.
type Choice = [u16; 4];

pub fn graphs(style: Style) -> impl Strategy<Value = Graph> {
    prop::collection::vec(any::<Choice>(), 1..20).prop_map(move |choices| graph(&choices, style))
}

/// Numbers for the symbols of such a graph, and a tensor for everything it loads.
pub fn call(graph: &Graph) -> (SizeValues, Memory) {
    let mut sizes = SizeValues::new(&graph.symbols);
    let tokens = graph.symbols.find("tokens").expect("every random graph has this symbol");
    for (symbol, number) in [(Symbol::BATCH, 2), (Symbol::SEQUENCE, 3), (Symbol::CAPACITY, 8), (tokens, 6)] {
        sizes.set(symbol, number);
    }
    let mut memory = Memory::default();
    for id in graph.ids() {
        if let Op::Load(storage) = graph.node(id).op {
            memory.set(storage, tensor(&graph.node(id).types[0], &sizes, storage));
        }
    }
    (sizes, memory)
}

/// Noise that depends on the storage, so that a pass may move its load.
fn tensor(ty: &Type, sizes: &SizeValues, storage: Storage) -> Tensor {
    let shape: Vec<usize> = ty.shape.iter().map(|s| s.eval(sizes) as usize).collect();
    let stream = match storage {
        Storage::Input(i) => i,
        Storage::Parameter(i) => 100 + i,
        other => unreachable!("random graphs do not load {other}"),
    };
    let noise = noise(stream, &shape);
    match ty.dtype {
        DType::F32 | DType::BF16 => noise,
        DType::I32 => ids(&shape, &noise.floats().iter().map(|x| ((x + 1.0) * 2.5) as i32).collect::<Vec<_>>()),
    }
}

fn graph(choices: &[Choice], style: Style) -> Graph {
    let mut symbols = Symbols::default();
    let n = Size::symbol(symbols.add_tokens("tokens", 0));
    let mut b = Builder::new("random", symbols);
    let [batch, sequence, capacity] = [Symbol::BATCH, Symbol::SEQUENCE, Symbol::CAPACITY].map(Size::symbol);
    let c = Size::constant;
    let [ids, position, seed] = [
        b.input("ids", Type::i32(vec![batch.clone(), sequence.clone()])),
        b.input("position", Type::i32(vec![])),
        b.input("seed", Type::i32(vec![c(2)])),
    ];
    let inputs = [
        vec![batch.clone(), sequence.clone(), c(4)],
        vec![],
        vec![batch.clone(), sequence.clone(), c(4), c(2)],
        vec![batch.clone(), sequence, c(2), c(2)],
        vec![batch, capacity, c(2), c(2)],
    ];
    let parameters = [vec![n.clone(), c(4)], vec![n, c(4)], vec![c(5), c(4)]];
    let mut floats: Vec<Value> = Vec::new();
    for (i, shape) in inputs.into_iter().enumerate() {
        floats.push(b.input(format!("x{i}"), Type::f32(shape)));
    }
    for (i, shape) in parameters.into_iter().enumerate() {
        floats.push(b.load(Storage::Parameter(i as u32), Type::f32(shape)));
    }
    let mut growing = Growing { b, floats, ids, position, seed, style };
    choices.iter().for_each(|choice| growing.grow(*choice));
    growing.finish()
}

struct Growing {
    b: Builder,
    /// What operations may be applied to.
    floats: Vec<Value>,
    ids: Value,
    position: Value,
    seed: Value,
    style: Style,
}

impl Growing {
    fn finish(mut self) -> Graph {
        for (i, value) in self.floats.iter().rev().take(5).enumerate() {
            self.b.output(format!("y{i}"), *value);
        }
        let keys = self.find(0, |ty| ty.shape.len() == 2 && ty.shape[0].as_constant().is_none());
        self.b.store("keys", keys.expect("a parameter"), Storage::Gradient(0), true);
        self.b.finish()
    }

    fn grow(&mut self, [op, a, b, c]: Choice) {
        let path = ["block.0", "block.1.ffn", ""][a as usize % 3];
        self.b.origin.path = (!path.is_empty()).then(|| path.to_string());
        let before = self.b.graph().len();
        let x = self.late(a);
        let made = match op % 8 {
            0 => Some(self.unary(x, b)),
            1 | 2 => self.pointwise(x, b, c),
            3 => self.moved(x, b, c),
            4 => self.reduced(x, b, c),
            5 => self.product(x, b, c),
            6 => self.row_wise(x, b),
            _ => self.token_wise(x, b, c),
        };
        if let Some(value) = made.filter(|value| value.node.0 as usize >= before) {
            let results = self.b.graph().node(value.node).types.len() as u32;
            (0..results).for_each(|i| self.floats.push(self.b.result(value, i)));
        }
    }

    /// One of the last values half of the time, so that chains arise.
    fn late(&self, choice: u16) -> Value {
        let recent = if choice.is_multiple_of(2) { 3.min(self.floats.len()) } else { self.floats.len() };
        self.floats[self.floats.len() - 1 - (choice / 2) as usize % recent]
    }

    /// A value whose type fits.
    fn find(&self, choice: u16, fits: impl Fn(&Type) -> bool) -> Option<Value> {
        let fitting: Vec<Value> = self.floats.iter().copied().filter(|v| fits(self.b.ty(*v))).collect();
        (!fitting.is_empty()).then(|| fitting[choice as usize % fitting.len()])
    }

    fn of_shape(&self, choice: u16, shape: &[Size]) -> Option<Value> {
        self.find(choice, |ty| ty.shape == shape)
    }

    /// Whether every id is below this size.
    fn holds_ids(&self, size: &Size) -> bool {
        let tokens = self.b.graph().symbols.find("tokens").map(Size::symbol);
        tokens.as_ref() == Some(size) || size.as_constant().is_some_and(|size| size >= 5)
    }

    fn unary(&mut self, x: Value, choice: u16) -> Value {
        const SMOOTH: [Unary; 6] =
            [Unary::Negate, Unary::Gelu, Unary::GeluTanh, Unary::Silu, Unary::Tanh, Unary::Sigmoid];
        let all: &[Unary] = if self.style == Style::Wild { &Unary::ALL } else { &SMOOTH };
        self.b.unary(all[choice as usize % all.len()], x)
    }

    fn pointwise(&mut self, x: Value, choice: u16, how: u16) -> Option<Value> {
        const SMOOTH: [Binary; 5] = [Binary::Add, Binary::Subtract, Binary::Multiply, Binary::Maximum, Binary::Minimum];
        const NUMBERS: [f64; 6] = [0.0, 1.0, -1.0, 2.0, 0.5, 3.0];
        let wild = self.style == Style::Wild;
        let ty = self.b.ty(x).clone();
        let other = match how % 4 {
            0 => self.b.constant(NUMBERS[how as usize / 4 % 6], ty),
            1 => self.repeated(how / 4, x)?,
            _ => self.of_shape(how / 4, &ty.shape)?,
        };
        let (left, right) = if choice.is_multiple_of(2) { (x, other) } else { (other, x) };
        match (choice / 2) as usize {
            select if wild && select % 12 == 11 => Some(self.b.add(Op::Select, &[left, right, x])),
            function if wild => Some(self.binary(Binary::ALL[function % 10], left, right)),
            function => Some(self.b.binary(SMOOTH[function % 5], left, right)),
        }
    }

    /// One number for all of `x`, or one for each place along some of its axes.
    fn repeated(&mut self, choice: u16, x: Value) -> Option<Value> {
        let shape = self.b.ty(x).shape.clone();
        let repeats =
            |from: &[Size]| from.len() == shape.len() && from.iter().zip(&shape).all(|(n, to)| n.is_one() || n == to);
        let value = self.find(choice, |ty| ty.shape.is_empty() || repeats(&ty.shape))?;
        Some(if self.b.ty(value).shape.is_empty() { self.b.spread(value, x) } else { self.b.broadcast(value, &shape) })
    }

    /// The sign of a zero, which passes need not keep, is not observed.
    fn binary(&mut self, function: Binary, left: Value, right: Value) -> Value {
        let mut absolute = |x| self.b.unary(Unary::Absolute, x);
        let (left, right) = match function {
            Binary::Divide => (left, absolute(right)),
            Binary::Power => (absolute(left), right),
            _ => (left, right),
        };
        self.b.binary(function, left, right)
    }

    fn moved(&mut self, x: Value, choice: u16, how: u16) -> Option<Value> {
        let shape = self.b.ty(x).shape.clone();
        let axis = how as usize % shape.len().max(1);
        let op = match choice % 5 {
            0 => Op::Reshape { shape: vec![Size::product(&shape), Size::constant(1)] },
            1 => Op::Reshape { shape: [shape.as_slice(), &[Size::constant(1)]].concat() },
            2 => {
                let mut permutation: Vec<usize> = (0..shape.len()).collect();
                permutation.rotate_left(axis);
                Op::Transpose { permutation }
            }
            3 => {
                let size = shape.get(axis)?.as_constant()?;
                let start = i64::from(choice / 5) % size;
                let length = 1 + i64::from(how / 5) % (size - start);
                Op::Slice { axis, start: Size::constant(start), length: Size::constant(length) }
            }
            _ if shape.is_empty() => return None,
            _ => {
                let other = self.of_shape(how / 5, &shape)?;
                return Some(self.b.add(Op::Concat { axis }, &[x, other, x]));
            }
        };
        Some(self.b.add(op, &[x]))
    }

    fn reduced(&mut self, x: Value, choice: u16, how: u16) -> Option<Value> {
        let shape = self.b.ty(x).shape.clone();
        let axes: Vec<usize> = (0..shape.len()).filter(|axis| how >> axis & 1 == 1).collect();
        let reduced = self.b.reduce(Reduction::ALL[choice as usize % 3], &axes, x);
        Some(if choice.is_multiple_of(2) { self.b.broadcast(reduced, &shape) } else { reduced })
    }

    fn product(&mut self, x: Value, choice: u16, how: u16) -> Option<Value> {
        let shape = self.b.ty(x).shape.clone();
        let [.., rows, columns] = shape.as_slice() else { return None };
        let fits = |transpose_a: bool, transpose_b: bool| {
            let contracted = if transpose_a { rows } else { columns };
            self.find(how, |ty| {
                ty.rank() == 2 && shape.len() != 1 && ty.shape[if transpose_b { 1 } else { 0 }] == *contracted
            })
        };
        let (transpose_a, transpose_b) = (choice & 1 == 1, choice & 2 == 2);
        match choice / 4 % 3 {
            0 if transpose_a != transpose_b => Some(self.b.add(Op::MatMul { transpose_a, transpose_b }, &[x, x])),
            1 => {
                let mut permutation: Vec<usize> = (0..shape.len()).collect();
                permutation.swap(shape.len() - 2, shape.len() - 1);
                let other = fits(!transpose_a, transpose_b)?;
                let turned = self.b.add(Op::Transpose { permutation }, &[x]);
                Some(self.b.add(Op::MatMul { transpose_a, transpose_b }, &[turned, other]))
            }
            _ => {
                let other = fits(transpose_a, transpose_b)?;
                Some(self.b.add(Op::MatMul { transpose_a, transpose_b }, &[x, other]))
            }
        }
    }

    fn row_wise(&mut self, x: Value, choice: u16) -> Option<Value> {
        let shape = self.b.ty(x).shape.clone();
        if shape.is_empty() {
            return None;
        }
        let wild = self.style == Style::Wild;
        let eps = if wild && choice.is_multiple_of(2) { 0.0 } else { 0.125 };
        match choice / 2 % 8 {
            0 => Some(self.b.add(Op::L2Normalize { eps }, &[x])),
            1 => Some(self.b.add(Op::LayerNorm { eps }, &[x])),
            2 => Some(self.b.add(Op::RmsNorm { eps }, &[x])),
            3 => Some(self.b.add(Op::Softmax, &[x])),
            4 => Some(self.b.iota(choice as usize % shape.len(), shape)),
            5 => Some(self.b.size_of(Size::product(&shape) + Size::constant(1))),
            6 if wild => {
                let row = shape.last().and_then(Size::as_constant).unwrap_or(3);
                Some(self.b.add(Op::TopK { k: Size::constant((row + 1) / 2) }, &[x]))
            }
            _ if wild => {
                let largest = self.b.add(Op::ArgMax, &[x]);
                let same = self.b.add(Op::LabelsEqual, &[largest, largest]);
                let number = self.b.add(Op::ToFloat, &[largest]);
                Some(self.b.multiply(same, number))
            }
            _ => Some(self.b.add(Op::Uniform { stream: 3, shape }, &[self.seed])),
        }
    }

    fn token_wise(&mut self, x: Value, choice: u16, how: u16) -> Option<Value> {
        let shape = self.b.ty(x).shape.clone();
        let tokens = self.b.ty(self.ids).shape.clone();
        let c = Size::constant;
        let heads = |groups| [tokens.as_slice(), &[c(groups), c(2)]].concat();
        let mask = [AttentionMask::Full, AttentionMask::Causal, AttentionMask::Window(2)][how as usize % 3];
        let per_token = shape.len() == 3 && shape[..2] == tokens;
        match choice % 8 {
            0 => Some(self.b.add(Op::Embed, &[self.ids, self.of_shape(how, &[c(5), c(4)])?])),
            1 if per_token => Some(self.b.add(Op::EmbedBackward { classes: c(5) }, &[self.ids, x])),
            2 => Some(self.b.add(Op::OneHot { classes: c(5) }, &[self.ids])),
            3 => {
                let q = self.of_shape(how, &heads(4))?;
                let op = Op::Rope { channels: 2, base: 100.0, inverse: how.is_multiple_of(2) };
                Some(self.b.add(op, &[q, self.position]))
            }
            4 => {
                let [q, k, v] = [(how, 4), (how / 3, 2), (how / 7, 2)].map(|(i, g)| self.of_shape(i, &heads(g)));
                let [q, k, v] = [q?, k?, v?];
                // Ids are as good as positions: a document may begin before the sequence.
                let documents = how.is_multiple_of(2);
                let positions: &[Value] = if documents { &[self.ids] } else { &[] };
                let forward = [&[q, k, v], positions].concat();
                let out = self.b.add(Op::Attention { mask, scale: 0.5 }, &forward);
                let log_sum_exp = self.b.result(out, 1);
                let backward = [&[q, k, v, out, log_sum_exp, q], positions].concat();
                Some(self.b.add(Op::AttentionBackward { mask, scale: 0.5 }, &backward))
            }
            5 => {
                let [q, new] = [(how, 4), (how / 3, 2)].map(|(i, g)| self.of_shape(i, &heads(g)));
                let cache = [heads(2)[0].clone(), Symbol::CAPACITY.into(), c(2), c(2)];
                let cache = self.of_shape(how, &cache)?;
                let cache = self.b.add(Op::CacheWrite, &[cache, new?, self.position]);
                Some(self.b.add(Op::CachedAttention { mask, scale: 0.5 }, &[q?, cache, cache, self.position]))
            }
            6 if per_token && self.holds_ids(&shape[2]) => {
                let loss = self.b.add(Op::CrossEntropy, &[x, self.ids]);
                let log_sum_exp = self.b.result(loss, 1);
                Some(self.b.add(Op::CrossEntropyBackward, &[x, self.ids, log_sum_exp, loss]))
            }
            7 if per_token && shape[2] == c(4) => {
                let wide = |ty: &Type| ty.rank() == 2 && ty.shape[1] == c(4) && self.holds_ids(&ty.shape[0]);
                let w = self.find(how, wide)?;
                let loss = self.b.add(Op::VocabularyLoss, &[x, w, self.ids]);
                let log_sum_exp = self.b.result(loss, 1);
                Some(self.b.add(Op::VocabularyLossBackward, &[x, w, self.ids, log_sum_exp, loss]))
            }
            _ => None,
        }
    }
}
