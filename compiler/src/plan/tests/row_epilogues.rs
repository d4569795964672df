//! Which row programs stand behind the product whose rows they need, each plan against the interpreter, which takes a few rows at a time, the last first.

use super::models::{block_gradient, builder, call, language_model, parameter, pattention, tokens};
use super::*;
use crate::graph::{Builder, Op, Type, Value};
use crate::kernel::Body;

/// How many row programs of a plan stand behind products, and how many by themselves, those in chunks among them.
fn behind_and_alone(graph: &Graph) -> [usize; 2] {
    let graph = passes::optimize(graph, &[], |_, _| {});
    let (sizes, memory) = call(&graph, 5);
    let program = check(&graph, &sizes, &memory);
    count(&program, &program.plans[0].steps)
}

fn count(program: &Program, steps: &[Step]) -> [usize; 2] {
    let one = |step: &Step| match step {
        Step::RowEpilogue { .. } => [1, 0],
        Step::Launch(launch) => [0, usize::from(matches!(program.kernels[launch.kernel as usize].body, Body::Rows(_)))],
        Step::Zero(_) => [0, 0],
        Step::Chunks { body, .. } => count(program, body),
    };
    steps.iter().map(one).fold([0, 0], |[a, b], [c, d]| [a + c, b + d])
}

fn product(b: &mut Builder, x: Value, width: i64, index: u32) -> Value {
    let w = parameter(b, index, &[8.into(), width.into()]);
    b.add(Op::MatMul { transpose_a: false, transpose_b: false }, &[x, w])
}

/// The graph of a product of tokens, made into something.
fn of_product(make: impl FnOnce(&mut Builder, Value, Value)) -> Graph {
    let (mut b, _) = builder("named");
    let x = b.input("x", Type::f32(tokens(8)));
    let y = product(&mut b, x, 8, 0);
    make(&mut b, x, y);
    b.finish()
}

/// Norms of scores and what the gradient of the division takes away; the layer norms in front have no product.
#[test]
fn a_pattention_has_no_pass_of_its_own_over_its_scores() {
    let (mut b, n) = builder("named");
    let x = b.input("x", Type::f32(tokens(8)));
    let (y, _) = pattention(&mut b, x, &n, 8, 0);
    b.output("y", y);
    assert_eq!(behind_and_alone(&b.finish()), [1, 0]);
    // Forward the layer norm of the input; backward that of its gradient, which the product before the last makes.
    assert_eq!(behind_and_alone(&block_gradient()), [3, 1]);
}

#[test]
fn the_softmax_of_a_vocabulary_is_behind_its_logits() {
    let graph = passes::optimize(&language_model(true), &[], |_, _| {});
    let (sizes, memory) = call(&graph, 11);
    let program = check(&graph, &sizes, &memory);
    let in_chunks = program.plans[0].steps.iter().find_map(|step| match step {
        Step::Chunks { body, .. } => Some(count(&program, body)),
        Step::Launch(_) | Step::RowEpilogue { .. } | Step::Zero(_) => None,
    });
    assert_eq!(in_chunks, Some([1, 0]));
}

#[test]
fn rows_that_need_other_rows_are_done_when_all_are_there() {
    let normal = |b: &mut Builder, x| b.add(Op::LayerNorm { eps: 1e-5 }, &[x]);
    let own = of_product(|b, _, y| {
        let normal = normal(b, y);
        b.output("normal", normal);
        b.output("y", y);
    });
    assert_eq!(behind_and_alone(&own), [1, 0]);
    // A sequence's positions are turned to be its channels: each row is made of all others.
    let across = of_product(|b, _, y| {
        let turned = b.add(Op::Transpose { permutation: vec![0, 2, 1] }, &[y]);
        let normal = normal(b, turned);
        b.output("normal", normal);
        b.output("y", y);
    });
    assert_eq!(behind_and_alone(&across)[0], 0);
    // Halves of rows.
    let halves = of_product(|b, _, y| {
        let [batch, sequence] = [0, 1].map(|axis| b.ty(y).shape[axis].clone());
        let halves = b.reshape(y, &[batch, sequence, 2.into(), 4.into()]);
        let normal = normal(b, halves);
        b.output("normal", normal);
        b.output("y", y);
    });
    assert_eq!(behind_and_alone(&halves)[0], 0);
}
