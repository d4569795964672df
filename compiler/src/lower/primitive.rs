//! The table from primitives to operations: one arm a primitive.

use super::{Mode, decode, forward::Forward};
use crate::graph::{AttentionMask, Builder, DType, Op, Reduction, Type, Value};
use crate::model::{Application, Primitive};
use crate::scalar::Binary;
use crate::size::{Size, Symbol};
use crate::storage::Storage;

/// Lowers one application. Shapes come from the operands, not from the application's type, wherever they can: while decoding, operands may
/// hold fewer positions than the program says.
pub(super) fn lower(forward: &mut Forward, application: &Application, operands: &[Value]) -> Value {
    let shape = &application.ty.shape;
    let b = &mut forward.builder;
    match &application.primitive {
        Primitive::Input(index) => match application.ty.dtype {
            DType::I32 if shape.len() == 2 => forward.ids(*index, false),
            DType::I32 | DType::F32 | DType::BF16 => forward.input(*index),
        },
        Primitive::Next(index) => forward.ids(*index, true),
        Primitive::Parameter(index) => forward.parameter(*index),
        Primitive::Number(number) => b.constant(*number, Type::f32(Vec::new())),
        Primitive::Scale(index) => b.load(Storage::Scale(*index as u32), Type::f32(Vec::new())),
        Primitive::Size(size) => b.size_of(size.clone()),
        Primitive::Unary(function) => b.unary(*function, operands[0]),
        Primitive::Binary(function) => {
            let shape = broadcast_shape(&b.ty(operands[0]).shape, &b.ty(operands[1]).shape);
            let (x, y) = (spread(b, operands[0], &shape), spread(b, operands[1], &shape));
            b.binary(*function, x, y)
        }
        Primitive::MatMul { transposed } => {
            b.add(Op::MatMul { transpose_a: false, transpose_b: *transposed }, &[operands[0], operands[1]])
        }
        Primitive::Embed => b.add(Op::Embed, operands),
        Primitive::Attention { mask } => attention(forward, *mask, operands),
        Primitive::Rope { channels, base } => {
            let position = forward.document_positions().unwrap_or_else(|| forward.position());
            forward.builder.add(Op::Rope { channels: *channels, base: *base, inverse: false }, &[operands[0], position])
        }
        Primitive::L2Normalize { eps } => b.add(Op::L2Normalize { eps: *eps }, operands),
        Primitive::LayerNorm { eps } => b.add(Op::LayerNorm { eps: *eps }, operands),
        Primitive::RmsNorm { eps } => b.add(Op::RmsNorm { eps: *eps }, operands),
        Primitive::Softmax => b.add(Op::Softmax, operands),
        Primitive::TopK { k } => b.add(Op::TopK { k: k.clone() }, operands),
        Primitive::Sum { axes } => sum(b, operands[0], axes),
        Primitive::Mean { axes } => mean(b, operands[0], axes),
        Primitive::Concat { axis } => {
            let aligned: Vec<Value> = operands.iter().map(|v| align_batch(b, *v, *axis, shape)).collect();
            b.add(Op::Concat { axis: *axis }, &aligned)
        }
        Primitive::Slice { axis, start, length } => {
            b.add(Op::Slice { axis: *axis, start: start.clone(), length: length.clone() }, operands)
        }
        Primitive::Reshape => b.reshape(operands[0], shape),
        Primitive::Transpose { permutation } => b.add(Op::Transpose { permutation: permutation.clone() }, operands),
        Primitive::Positions => positions(forward, operands[0], shape),
        Primitive::SplitHeads { heads } => split_heads(b, operands[0], *heads),
        Primitive::MergeHeads => merge_heads(b, operands[0]),
        Primitive::Patches { size } => patches(b, operands[0], *size),
        Primitive::Expand => spread(b, operands[0], shape),
        Primitive::Dropout { rate, stream } => match forward.mode {
            Mode::Train => {
                let shape = forward.builder.ty(operands[0]).shape.clone();
                dropout(forward, operands[0], &shape, *rate, *stream)
            }
            Mode::Evaluate | Mode::Decode { .. } => operands[0],
        },
        Primitive::DropPath { rate, stream } => match forward.mode {
            Mode::Train => {
                let mut shape = forward.builder.ty(operands[0]).shape.clone();
                shape.iter_mut().skip(1).for_each(|size| *size = Size::constant(1));
                dropout(forward, operands[0], &shape, *rate, *stream)
            }
            Mode::Evaluate | Mode::Decode { .. } => operands[0],
        },
        Primitive::First { low, high, shown, stream } => match forward.mode {
            Mode::Train => {
                let u = drawn_once(forward, *low, *high, *stream);
                first(&mut forward.builder, shape, u)
            }
            Mode::Evaluate | Mode::Decode { .. } if *shown == 1.0 => b.constant(1.0, Type::f32(shape.clone())),
            Mode::Evaluate | Mode::Decode { .. } => {
                let u = b.constant(*shown, Type::f32(vec![Size::constant(1)]));
                first(b, shape, u)
            }
        },
        Primitive::CrossEntropy => {
            let loss = b.add(Op::CrossEntropy, operands);
            mean_of_all(b, loss)
        }
        Primitive::Accuracy => {
            let guess = b.add(Op::ArgMax, &operands[..1]);
            let right = b.add(Op::LabelsEqual, &[guess, operands[1]]);
            mean_of_all(b, right)
        }
    }
}

/// NumPy's rule: aligned at the right, an axis of size 1 repeats.
fn broadcast_shape(a: &[Size], b: &[Size]) -> Vec<Size> {
    let rank = a.len().max(b.len());
    let axis = |shape: &[Size], i: usize| (i + shape.len()).checked_sub(rank).map(|i| shape[i].clone());
    (0..rank)
        .map(|i| match (axis(a, i), axis(b, i)) {
            (Some(x), Some(y)) => {
                if x.is_one() {
                    y
                } else {
                    x
                }
            }
            (Some(x), None) | (None, Some(x)) => x,
            (None, None) => Size::constant(1),
        })
        .collect()
}

/// `x` repeated to `shape`: axes of size 1 are put before it, then repeated.
fn spread(b: &mut Builder, x: Value, shape: &[Size]) -> Value {
    let own = b.ty(x).shape.clone();
    let padded: Vec<Size> = vec![Size::constant(1); shape.len() - own.len()].into_iter().chain(own).collect();
    let x = b.reshape(x, &padded);
    b.broadcast(x, shape)
}

/// A part of a concatenation repeated along the other axes: a class token `[1, 1, width]` before patches `[batch, patches, width]`.
fn align_batch(b: &mut Builder, x: Value, axis: usize, shape: &[Size]) -> Value {
    let mut target = shape.to_vec();
    let own = b.ty(x).shape.clone();
    target[axis] = own[axis + own.len() - shape.len()].clone();
    spread(b, x, &target)
}

fn without(shape: &[Size], axes: &[usize]) -> Vec<Size> {
    shape.iter().enumerate().filter(|(i, _)| !axes.contains(i)).map(|(_, size)| size.clone()).collect()
}

fn sum(b: &mut Builder, x: Value, axes: &[usize]) -> Value {
    let rest = without(&b.ty(x).shape, axes);
    let total = b.reduce(Reduction::Sum, axes, x);
    b.reshape(total, &rest)
}

fn mean(b: &mut Builder, x: Value, axes: &[usize]) -> Value {
    let count = Size::product(axes.iter().map(|a| &b.ty(x).shape[*a]));
    let total = sum(b, x, axes);
    let count = b.size_of(count);
    let shape = b.ty(total).shape.clone();
    let count = spread(b, count, &shape);
    b.binary(Binary::Divide, total, count)
}

fn mean_of_all(b: &mut Builder, x: Value) -> Value {
    let axes: Vec<usize> = (0..b.ty(x).rank()).collect();
    mean(b, x, &axes)
}

fn attention(forward: &mut Forward, mask: AttentionMask, operands: &[Value]) -> Value {
    let channels = forward.builder.ty(operands[0]).shape[3].as_constant();
    let channels = channels.expect("bug in tfc: the channels of a head are a number");
    let scale = 1.0 / (channels as f64).sqrt();
    match forward.mode {
        Mode::Decode { .. } => decode::cached_attention(forward, mask, scale, operands),
        Mode::Train | Mode::Evaluate => {
            let positions = forward.document_positions();
            let operands: Vec<Value> = operands.iter().copied().chain(positions).collect();
            forward.builder.add(Op::Attention { mask, scale }, &operands)
        }
    }
}

/// The rows of a table for the present positions, `[.., sequence, width]`.
fn positions(forward: &mut Forward, table: Value, shape: &[Size]) -> Value {
    let positions = forward.document_positions();
    let rows = match (&forward.mode, positions) {
        (Mode::Decode { .. }, _) => decode::positions(forward, table),
        (Mode::Train | Mode::Evaluate, Some(positions)) => forward.builder.add(Op::Embed, &[positions, table]),
        (Mode::Train | Mode::Evaluate, None) => {
            let length = Size::symbol(Symbol::SEQUENCE);
            forward.builder.add(Op::Slice { axis: 0, start: Size::constant(0), length }, &[table])
        }
    };
    spread(&mut forward.builder, rows, shape)
}

fn split_heads(b: &mut Builder, x: Value, heads: i64) -> Value {
    let shape = b.ty(x).shape.clone();
    let (width, rows) = shape.split_last().expect("bug in tfc: heads are split from an axis");
    let heads = Size::constant(heads);
    let channels = width.checked_div(&heads).expect("bug in tfc: heads divide the width");
    b.reshape(x, &[rows, &[heads, channels]].concat())
}

fn merge_heads(b: &mut Builder, x: Value) -> Value {
    let shape = b.ty(x).shape.clone();
    let (rows, heads) = shape.split_at(shape.len() - 2);
    b.reshape(x, &[rows, &[Size::product(heads)]].concat())
}

fn patches(b: &mut Builder, x: Value, size: i64) -> Value {
    let [batch, channels, height, width] =
        b.ty(x).shape.clone().try_into().expect("bug in tfc: an image has four axes");
    let size = Size::constant(size);
    let across = |length: &Size| length.checked_div(&size).expect("bug in tfc: patches divide the image");
    let (down, right) = (across(&height), across(&width));
    let tiled = [batch.clone(), channels.clone(), down.clone(), size.clone(), right.clone(), size.clone()];
    let x = b.reshape(x, &tiled); // [batch, channels, down, size, right, size]
    let x = b.add(Op::Transpose { permutation: vec![0, 2, 4, 1, 3, 5] }, &[x]); // [batch, down, right, channels, size, size]
    b.reshape(x, &[batch, down * right, channels * size.clone() * size])
}

/// A number is drawn for each element of `drawn`, which broadcasts to the shape of x.
fn dropout(forward: &mut Forward, x: Value, drawn: &[Size], rate: f64, stream: u32) -> Value {
    let seed = forward.seed();
    let b = &mut forward.builder;
    let ty = b.ty(x).clone();
    let u = b.add(Op::Uniform { stream, shape: drawn.to_vec() }, &[seed]);
    let u = b.broadcast(u, &ty.shape);
    let rate_value = b.constant(rate, ty.clone());
    let dropped = b.binary(Binary::Less, u, rate_value);
    let (kept, zero) = (b.scaled(x, 1.0 / (1.0 - rate)), b.constant(0.0, ty));
    b.add(Op::Select, &[dropped, zero, kept])
}

/// 1 for the first ⌈u·n⌉ of n, u uniform in [low, high): `i < ⌈u·n⌉` is `i < u·n` for whole i.
fn first(b: &mut Builder, shape: &[Size], u: Value) -> Value {
    let n = b.size_of(shape[0].clone());
    let n = b.reshape(n, &[Size::constant(1)]);
    let bound = b.multiply(u, n);
    let bound = b.broadcast(bound, shape);
    let index = b.iota(0, shape.to_vec());
    b.binary(Binary::Less, index, bound)
}

/// A number between `low` and `high`, `[1]`, another one in each step.
fn drawn_once(forward: &mut Forward, low: f64, high: f64, stream: u32) -> Value {
    let seed = forward.step_seed();
    let b = &mut forward.builder;
    let one = vec![Size::constant(1)];
    let u = b.add(Op::Uniform { stream, shape: one.clone() }, &[seed]);
    let u = b.scaled(u, high - low);
    let low = b.constant(low, Type::f32(one));
    b.binary(Binary::Add, u, low)
}

/// Whether the primitive treats every position by itself: its result at the last position needs its operands at no other.
pub(super) fn is_position_wise(primitive: &Primitive) -> bool {
    match primitive {
        Primitive::Unary(_)
        | Primitive::Binary(_)
        | Primitive::MatMul { .. }
        | Primitive::L2Normalize { .. }
        | Primitive::LayerNorm { .. }
        | Primitive::RmsNorm { .. }
        | Primitive::Softmax
        | Primitive::TopK { .. }
        | Primitive::SplitHeads { .. }
        | Primitive::MergeHeads
        | Primitive::Dropout { .. }
        | Primitive::DropPath { .. } => true,
        Primitive::Input(_)
        | Primitive::Next(_)
        | Primitive::Parameter(_)
        | Primitive::Number(_)
        | Primitive::Scale(_)
        | Primitive::Size(_)
        | Primitive::Embed
        | Primitive::Attention { .. }
        | Primitive::Rope { .. }
        | Primitive::Sum { .. }
        | Primitive::Mean { .. }
        | Primitive::Concat { .. }
        | Primitive::Slice { .. }
        | Primitive::Reshape
        | Primitive::Transpose { .. }
        | Primitive::Positions
        | Primitive::Patches { .. }
        | Primitive::Expand
        | Primitive::First { .. }
        | Primitive::CrossEntropy
        | Primitive::Accuracy => false,
    }
}
