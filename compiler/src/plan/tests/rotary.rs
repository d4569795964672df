//! Which rotary embeddings go into the kernel that makes the rows, each plan against the interpreter.

use super::models::{builder, call, parameter, tokens};
use super::*;
use crate::autodiff::differentiate;
use crate::graph::{AttentionMask, Builder, Op, Type, Value};
use crate::kernel::Body;
use crate::size::{Size, Symbol};

const HEADS: i64 = 3;

/// Heads of a product with a parameter.
fn heads(b: &mut Builder, x: Value, channels: i64, index: u32) -> Value {
    let w = parameter(b, index, &[8.into(), (HEADS * channels).into()]);
    let rows = b.add(Op::MatMul { transpose_a: false, transpose_b: false }, &[x, w]);
    b.reshape(rows, &of_heads(channels))
}

fn of_heads(channels: i64) -> Vec<Size> {
    vec![Symbol::BATCH.into(), Symbol::SEQUENCE.into(), HEADS.into(), channels.into()]
}

fn rope(b: &mut Builder, x: Value, channels: usize, base: f64) -> Value {
    let first = b.constant(0.0, Type::i32(vec![]));
    b.add(Op::Rope { channels, base, inverse: false }, &[x, first])
}

/// How many launches of the plan turn heads that others have made.
fn left(graph: &Graph) -> usize {
    let graph = passes::optimize(graph, &[], |_, _| {});
    let (sizes, memory) = call(&graph, 5);
    let program = check(&graph, &sizes, &memory);
    let turns = |step: &&Step| match step {
        Step::Launch(launch) => matches!(program.kernels[launch.kernel as usize].body, Body::Rope(_)),
        Step::RowEpilogue { .. } | Step::Zero(_) | Step::Chunks { .. } => false,
    };
    program.plans[0].steps.iter().filter(turns).count()
}

/// The graph of a product's heads, made into something.
fn of_product(channels: i64, make: impl FnOnce(&mut Builder, Value)) -> Graph {
    let (mut b, _) = builder("named");
    let x = b.input("x", Type::f32(tokens(8)));
    let made = heads(&mut b, x, channels, 0);
    make(&mut b, made);
    b.finish()
}

/// Where rows are handed back before they are turned, they are turned elsewhere; of two embeddings a product takes the first.
#[test]
fn a_product_turns_what_nobody_else_reads() {
    let turned = |channels: i64, turned| {
        of_product(channels, move |b, x| {
            let y = rope(b, x, turned, 1e4);
            b.output("y", y);
        })
    };
    assert_eq!([(64, 64), (64, 16), (96, 24), (48, 48), (40, 40)].map(|(c, t)| left(&turned(c, t))), [0, 0, 0, 1, 1]);
    let read = of_product(64, |b, x| {
        let y = rope(b, x, 16, 1e4);
        b.output("x", x);
        b.output("y", y);
    });
    assert_eq!(left(&read), 1);
    let twice = of_product(64, |b, x| {
        let y = rope(b, x, 16, 1e4);
        let z = rope(b, y, 64, 500.0);
        b.output("z", z);
    });
    assert_eq!(left(&twice), 1);
}

/// Both gradients by the same angles, or each by itself.
#[test]
fn attention_turns_the_gradients_of_queries_and_keys_alike() {
    let gradients = |turned: [Option<(usize, f64)>; 2]| {
        let (mut b, _) = builder("gradient");
        let x = b.input("x", Type::f32(tokens(8)));
        let g = b.input("g", Type::f32(of_heads(32)));
        let [q, k, v] = [0, 1, 2].map(|index| heads(&mut b, x, 32, index));
        let mut turn = |x, turned: Option<(usize, f64)>| match turned {
            Some((channels, base)) => rope(&mut b, x, channels, base),
            None => x,
        };
        let (q, k) = (turn(q, turned[0]), turn(k, turned[1]));
        let y = b.add(Op::Attention { mask: AttentionMask::Causal, scale: 0.5 }, &[q, k, v]);
        let d_x = differentiate(&mut b, y, g, &[x])[0];
        b.output("gradient", d_x);
        b.finish()
    };
    let [quarter, all, other] = [(8, 1e4), (32, 1e4), (8, 500.0)].map(Some);
    assert_eq!(left(&gradients([quarter, quarter])), 0);
    assert_eq!(left(&gradients([all, all])), 0);
    for turned in [[quarter, all], [quarter, other]] {
        assert_eq!(left(&gradients(turned)), 2);
    }
    assert_eq!(left(&gradients([quarter, None])), 1);
}
