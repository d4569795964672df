//! What row programs make of values of different rank: whatever is computed together, each number once.

use super::models::{builder, call, parameter, tokens};
use super::*;
use crate::graph::{Builder, Op, Type, Value};
use crate::scalar::Unary;
use crate::size::{Size, Symbol};

/// exp(exp(x / 2)), which is too much for a product to compute as it loads it.
fn costly(b: &mut Builder, x: Value) -> Value {
    let half = b.scaled(x, 0.5);
    let once = b.unary(Unary::Exp, half);
    b.unary(Unary::Exp, once)
}

/// A computed number for each place along some axes, which are those of `ids`.
fn number(b: &mut Builder, ids: &[Size]) -> Value {
    let ids = b.input("ids", Type::i32(ids.to_vec()));
    let table = parameter(b, 0, &[5.into(), 1.into()]);
    let number = b.add(Op::Embed, &[ids, table]);
    b.unary(Unary::Exp, number)
}

/// What a product takes of such a number is kept, and may go where the number was.
fn product(b: &mut Builder, number: Value) -> Value {
    let x = costly(b, number);
    let w = parameter(b, 1, &[1.into(), 3.into()]);
    b.add(Op::MatMul { transpose_a: false, transpose_b: false }, &[x, w])
}

/// A number per sequence, one per token that is made of it, and channels that are made of that.
#[test]
fn a_number_per_sequence_is_overwritten_once() {
    let (mut b, _) = builder("named");
    let [x, u] = [("x", 8), ("u", 1)].map(|(name, width)| b.input(name, Type::f32(tokens(width))));
    let a = number(&mut b, &[Symbol::BATCH.into(), 1.into()]); // [batch, 1, 1]
    let r = product(&mut b, a);
    let per_token = b.broadcast(a, &tokens(1));
    let per_token = b.multiply(u, per_token);
    let per_token = b.unary(Unary::Exp, per_token);
    let repeated = b.broadcast(per_token, &tokens(8));
    let z = b.multiply(x, repeated);
    b.output("z", z);
    b.output("r", r);
    checked(&b.finish());
}

/// A number per token, and channels that are turned, so that two dimensions walk along their axis.
#[test]
fn a_number_per_token_is_overwritten_once_beside_an_axis_that_is_cut() {
    let (mut b, _) = builder("named");
    let x = b.input("x", Type::f32([tokens(2), vec![4.into()]].concat()));
    let a = number(&mut b, &tokens(1)[..2]); // [batch, sequence, 1]
    let r = product(&mut b, a);
    let turned = b.add(Op::Transpose { permutation: vec![0, 1, 3, 2] }, &[x]);
    let turned = b.reshape(turned, &tokens(8));
    let repeated = b.broadcast(a, &tokens(8));
    let z = b.multiply(turned, repeated);
    b.output("z", z);
    b.output("r", r);
    checked(&b.finish());
}

fn checked(graph: &Graph) {
    let (sizes, memory) = call(graph, 5);
    check(graph, &sizes, &memory);
}
