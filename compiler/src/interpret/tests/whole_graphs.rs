//! What a call does to the memory around it, and where it went wrong.

use super::*;
use crate::scalar::{Binary, Unary};

const P: [Storage; 2] = [Storage::Parameter(0), Storage::Parameter(1)];

#[test]
fn outputs_are_written_after_everything_was_read() {
    let mut b = Builder::new("swap", Symbols::default());
    let [x, y] = P.map(|p| b.load(p, Type::f32(vec![])));
    b.store("x", y, P[0], false);
    b.store("y", x, P[1], false);
    b.store("sum", y, Storage::Gradient(0), true);
    b.output("same", x);
    let graph = b.finish();
    let mut memory = Memory::default();
    memory.set(P[0], Tensor::scalar(1.0));
    memory.set(P[1], Tensor::scalar(2.0));
    for _ in 0..3 {
        interpret(&graph, &SizeValues::new(&graph.symbols), &mut memory);
    }
    assert_eq!(P.map(|p| memory.find(p).cloned()), [2.0, 1.0].map(|x| Some(Tensor::scalar(x))));
    assert_eq!(memory.find(Storage::Gradient(0)), Some(&Tensor::scalar(2.0 + 1.0 + 2.0)));
    assert_eq!(memory.find(Storage::Output(0)), Some(&Tensor::scalar(1.0)));
}

#[test]
fn the_first_operation_that_is_not_finite_is_named() {
    let mut b = Builder::new("log", Symbols::default());
    let ty = Type::f32(vec![]);
    let x = b.load(P[0], ty.clone());
    let clip = b.input("clip", ty.clone());
    let infinity = b.constant(f64::INFINITY, ty);
    let least = b.binary(Binary::Minimum, clip, infinity);
    b.origin = Origin { path: Some("block.0".into()), ..Origin::default() };
    let log = b.unary(Unary::Log, x);
    b.origin = Origin::default();
    let exp = b.unary(Unary::Exp, log);
    let sum = b.binary(Binary::Add, exp, least);
    let sum = b.unary(Unary::Log, sum);
    b.output("y", sum);
    let graph = b.finish();
    let found = |x: f64, clip: f64| {
        let mut memory = Memory::default();
        memory.set(P[0], Tensor::scalar(x));
        memory.set(Storage::Input(0), Tensor::scalar(clip));
        first_non_finite(&graph, &SizeValues::new(&graph.symbols), &memory)
    };
    assert_eq!(found(1.0, f64::INFINITY), None);
    let wrong = found(0.0, 1.0).expect("the logarithm of 0");
    assert_eq!((wrong.node, wrong.origin.path.as_deref()), (log.node, Some("block.0")));
    assert_eq!(found(f64::NAN, 1.0).map(|wrong| wrong.op), Some(Op::Load(P[0])));
}
