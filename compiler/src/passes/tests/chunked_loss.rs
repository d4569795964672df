//! The vocabulary loss is found before and after differentiation, and only where the logits are not needed otherwise.

use crate::autodiff::differentiate;
use crate::graph::{Builder, Graph, Op, Type, Value};
use crate::interpret::tests::{assert_near, ids, noise, outputs, type_of};
use crate::passes::{optimize, vocabulary};
use crate::scalar::Unary;
use crate::size::{Size, Symbols};

const LABELS: [i32; 6] = [3, 0, 2, 2, 1, 4];

/// A loss of h · wᵀ, for h of this shape, with a tied embedding: w is looked up too.
fn loss(b: &mut Builder, h: &[i64], transpose: bool) -> (Value, Value, Value) {
    let c = |n: &i64| Size::constant(*n);
    let x = b.input("x", Type::f32(h.iter().map(c).collect()));
    let w = b.input("w", Type::f32(vec![Size::constant(5), Size::constant(4)]));
    let labels = b.input("labels", Type::i32(h[..h.len() - 1].iter().map(c).collect()));
    let embedded = b.add(Op::Embed, &[labels, w]);
    let sum = b.multiply(x, embedded);
    let h = b.unary(Unary::Tanh, sum);
    let right = if transpose { b.add(Op::Transpose { permutation: vec![1, 0] }, &[w]) } else { w };
    let logits = b.add(Op::MatMul { transpose_a: false, transpose_b: !transpose }, &[h, right]);
    let rows = b.add(Op::CrossEntropy, &[logits, labels]);
    (b.total(rows), logits, w)
}

fn with_gradients(b: &mut Builder, loss: Value, wrt: &[Value]) {
    b.output("loss", loss);
    let seed = b.constant(0.5, Type::f32(vec![]));
    let gradients = differentiate(b, loss, seed, wrt);
    gradients.into_iter().enumerate().for_each(|(i, gradient)| b.output(format!("gradient{i}"), gradient));
}

fn count(graph: &Graph, op: &Op) -> usize {
    graph.ids().filter(|id| graph.node(*id).op == *op).count()
}

#[test]
fn a_loss_and_its_gradient_become_chunked() {
    for shape in [vec![6, 4], vec![2, 3, 4]] {
        let mut b = Builder::new("g", Symbols::default());
        let (loss, _, w) = loss(&mut b, &shape, false);
        let x = Value { node: crate::graph::NodeId(0), result: 0 };
        with_gradients(&mut b, loss, &[x, w]);
        let graph = b.finish();
        let chunked = optimize(&graph, &[], |_, _| ());
        for (op, times) in [(Op::VocabularyLoss, 1), (Op::VocabularyLossBackward, 1), (Op::CrossEntropy, 0)] {
            assert_eq!(count(&chunked, &op), times, "{op:?}\n{chunked}");
        }
        assert!(chunked.ids().all(|id| !matches!(chunked.node(id).op, Op::MatMul { .. })), "{chunked}");

        let numbers: Vec<usize> = shape.iter().map(|n| *n as usize).collect();
        let inputs = [noise(0, &numbers), noise(1, &[5, 4]), ids(&numbers[..numbers.len() - 1], &LABELS)];
        let [want, got] = [&graph, &chunked].map(|graph| outputs(graph, &inputs.each_ref()));
        want.iter().zip(&got).for_each(|(want, got)| assert_near(got, want));
        assert_eq!(type_of(&got[2]), type_of(&inputs[1]));
    }
}

/// Found before differentiation, the backward operation follows from its gradient rule.
#[test]
fn a_forward_loss_becomes_chunked() {
    let mut b = Builder::new("g", Symbols::default());
    let (loss, ..) = loss(&mut b, &[2, 3, 4], false);
    b.output("loss", loss);
    let graph = vocabulary(&b.finish());
    assert_eq!((count(&graph, &Op::VocabularyLoss), count(&graph, &Op::CrossEntropy)), (1, 0));
}

#[test]
fn logits_that_are_needed_stay() {
    let kept = |change: &dyn Fn(&mut Builder, Value, Value)| {
        let mut b = Builder::new("g", Symbols::default());
        let (loss, logits, w) = loss(&mut b, &[2, 3, 4], false);
        with_gradients(&mut b, loss, &[w]);
        change(&mut b, logits, w);
        count(&vocabulary(&b.finish()), &Op::CrossEntropy) == 1
    };
    assert!(!kept(&|_, _, _| ()));
    assert!(kept(&|b, logits, _| b.output("logits", logits)));
    assert!(kept(&|b, logits, _| {
        let largest = b.add(Op::ArgMax, &[logits]);
        b.output("largest", largest);
    }));
    assert!(kept(&|b, _, _| {
        let gradient = b.graph().ids().find(|id| b.graph().node(*id).op == Op::CrossEntropyBackward);
        let gradient = Value { node: gradient.expect("there is one"), result: 0 };
        b.output("gradient of logits", gradient);
    }));
}

/// A table that lies the other way round is left to the plain operations.
#[test]
fn only_rows_of_classes_are_taken() {
    let mut b = Builder::new("g", Symbols::default());
    let (loss, ..) = loss(&mut b, &[6, 4], true);
    b.output("loss", loss);
    assert_eq!(count(&vocabulary(&b.finish()), &Op::CrossEntropy), 1);
}
