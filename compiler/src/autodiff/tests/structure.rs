//! What the walk from the loss does and does not do.

use super::*;
use crate::autodiff::differentiate;
use crate::graph::Origin;
use crate::scalar::{Binary, Unary};

/// x is used three times, in one place twice; z is on no path; the gradient of an intermediate value is one too.
#[test]
fn uses_add_up_and_what_is_off_the_path_is_zero() {
    let x = noise(0, &[3, 3]);
    check("uses", &[&x, &noise(1, &[2])], |b, x| {
        let square = b.multiply(x[0], x[0]);
        let exp = b.unary(Unary::Exp, x[0]);
        b.binary(Binary::Add, square, exp)
    });
    let mut b = Builder::new("intermediate", Symbols::default());
    let value = b.input("x", type_of(&x));
    let square = b.multiply(value, value);
    let double = b.scaled(square, 2.0);
    let loss = b.total(double);
    let seed = b.constant(3.0, Type::f32(vec![]));
    let gradients = differentiate(&mut b, loss, seed, &[square, value]);
    gradients.into_iter().for_each(|g| b.output("gradient", g));
    let results = outputs(&b.finish(), &[&x]);
    assert_eq!(results[0].floats(), [6.0; 9]);
    assert_eq!(results[1].floats(), x.floats().iter().map(|x| 12.0 * x).collect::<Vec<_>>());
}

/// The gradient of the operand that nobody asks about is not computed where it would need a node of its own path.
#[test]
fn nothing_is_differentiated_that_was_not_asked_for() {
    let mut b = Builder::new("frozen", Symbols::default());
    let ty = Type::f32(vec![]);
    let [x, frozen] = ["x", "frozen"].map(|name| b.input(name, ty.clone()));
    let exp = b.unary(Unary::Exp, frozen);
    let floor = b.unary(Unary::Floor, x);
    let off_path = b.multiply(floor, exp);
    let sum = b.binary(Binary::Add, exp, x);
    let before = b.graph().len();
    let seed = b.constant(1.0, ty);
    assert_eq!(differentiate(&mut b, sum, seed, &[x]), [seed]);
    assert_eq!(b.graph().len(), before + 1);
    let zero = differentiate(&mut b, off_path, seed, &[x]);
    assert_eq!(b.op(zero[0]), &Op::Constant(0.0));
}

#[test]
fn gradients_come_from_where_their_operation_comes_from() {
    let mut b = Builder::new("origin", Symbols::default());
    let ty = Type::f32(vec![]);
    let x = b.input("x", ty.clone());
    b.origin = Origin { path: Some("block.0".into()), ..Origin::default() };
    let y = b.unary(Unary::Exp, x);
    b.origin = Origin::default();
    let seed = b.input("seed", ty);
    let gradient = differentiate(&mut b, y, seed, &[x]);
    assert_eq!(b.graph().node(gradient[0].node).origin.path.as_deref(), Some("block.0"));
    assert_eq!(b.origin, Origin::default());
}

/// A whole Pattention with its scale as an operand, layer norm before it, under both official normalizations.
#[test]
fn a_pattention_as_a_whole() {
    let inputs = [noise(0, &[2, 3, 4]), noise(1, &[6, 4]), noise(2, &[6, 5]), between(1.0, 3.0, &noise(3, &[]))];
    for gelu_first in [false, true] {
        check("pattention", &inputs.each_ref(), |b, x| {
            let normed = b.add(Op::LayerNorm { eps: 1e-5 }, &[x[0]]);
            let a = b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[normed, x[1]]);
            let a = if gelu_first { b.unary(Unary::Gelu, a) } else { a };
            let unit = b.add(Op::L2Normalize { eps: 0.0 }, &[a]);
            let scale = b.spread(x[3], unit);
            let scaled = b.multiply(unit, scale);
            let s = if gelu_first { scaled } else { b.unary(Unary::Gelu, scaled) };
            b.add(Op::MatMul { transpose_a: false, transpose_b: false }, &[s, x[2]])
        });
    }
}
