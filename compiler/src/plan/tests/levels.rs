//! In which order steps are done where texts are continued, each plan against the interpreter.

use super::models::{builder, call, parameter, pattention, tokens};
use super::*;
use crate::compiled::Entry;
use crate::graph::{Op, Type};
use crate::scalar::Unary;
use crate::size::Symbol;

/// Three Pattentions of the same tokens.
pub fn three_pattentions(name: &str) -> Graph {
    let (mut b, n) = builder(name);
    let x = b.input("x", Type::f32(tokens(8)));
    for (name, first) in [("queries", 0), ("keys", 2), ("values", 4)] {
        let (y, _) = pattention(&mut b, x, &n, 8, first);
        b.output(name, y);
    }
    b.finish()
}

/// The steps' numbers of launches, one after the other, and from where to where each buffer of the arena lives.
fn steps_and_lives(name: &str) -> (Vec<usize>, Vec<(u32, u32)>) {
    let graph = passes::optimize(&three_pattentions(name), &[], |_, _| {});
    let (sizes, memory) = call(&graph, 5);
    let program = check(&graph, &sizes, &memory);
    let plan = &program.plans[0];
    let life = |buffer: &Buffer| match buffer.place {
        Place::Arena { first, last } => Some((first, last)),
        Place::Storage(_) => None,
    };
    (plan.steps.iter().map(|step| step.launches().len()).collect(), plan.buffers.iter().filter_map(life).collect())
}

/// Two launches are a product of keys and the norms of its rows, one is a product of values.
#[test]
fn products_of_the_same_tokens_stand_beside_each_other() {
    let (steps, lives) = steps_and_lives("named");
    assert_eq!(steps, [2, 1, 2, 1, 2, 1]);
    assert!(lives.contains(&(2, 3)), "{lives:?}");
    let (steps, lives) = steps_and_lives(Entry::Decode.name());
    assert_eq!(steps, [2, 2, 2, 1, 1, 1]);
    // Scores and their norms live while any of them are made or used.
    assert_eq!(lives, [(0, 5); 6]);
}

/// In the chunks of a loss there are rows of a chunk, wherever else the step of another level begins.
#[test]
fn what_is_in_chunks_is_as_large_as_a_chunk() {
    let (mut b, _) = builder("decode");
    let hidden = b.input("hidden", Type::f32(tokens(8)));
    let labels = b.input("labels", Type::i32(vec![Symbol::BATCH.into(), Symbol::SEQUENCE.into()]));
    let table = parameter(&mut b, 0, &[11.into(), 8.into()]);
    let other = b.unary(Unary::Exp, hidden);
    let logits = b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[hidden, table]);
    let loss = b.add(Op::CrossEntropy, &[logits, labels]);
    b.output("other", other);
    b.output("loss", loss);
    let graph = passes::optimize(&b.finish(), &[], |_, _| {});
    let (sizes, memory) = call(&graph, 5);
    let program = check(&graph, &sizes, &memory);
    let plan = &program.plans[0];
    assert!(plan.steps.iter().any(|step| matches!(step, Step::Chunks { .. })), "{program}");
    for buffer in plan.buffers.iter().filter(|buffer| buffer.elements.symbols().contains(&Symbol::CHUNK_ROWS)) {
        let Place::Arena { first, last } = buffer.place else { panic!("{program}") };
        assert_eq!(first, last);
        // Ten tokens in one chunk.
        assert_eq!(buffer.elements.eval(&plan.sizes_at(first, &sizes)) % 10, 0);
    }
}
