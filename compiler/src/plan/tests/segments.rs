//! Which products are done in segments of k, and that they add up.

use super::models::{builder, memory, parameter};
use super::*;
use crate::graph::{Op, Type};
use crate::kernel::{Access, Body, Contraction};
use crate::scalar::Binary;
use crate::size::{Size, Symbol};

/// As many k as threads share of so many columns.
const N: i64 = 1024;
const SHARED_K: i64 = Contraction::SHARED / N;

/// x · w, or what it makes with a residual.
fn product(transpose: bool, k: i64, onto: Option<Binary>) -> Graph {
    of_entry("named", transpose, [k, N], onto)
}

fn of_entry(entry: &str, transpose: bool, [k, n]: [i64; 2], onto: Option<Binary>) -> Graph {
    let (mut b, _) = builder(entry);
    let stored = |rows: Size, columns: Size| if transpose { vec![columns, rows] } else { vec![rows, columns] };
    let m = Size::symbol(Symbol::BATCH);
    let x = b.input("x", Type::f32(stored(m.clone(), k.into())));
    let w = parameter(&mut b, 0, &stored(k.into(), n.into()));
    let product = b.add(Op::MatMul { transpose_a: transpose, transpose_b: transpose }, &[x, w]);
    let y = onto.map_or(product, |onto| {
        let residual = b.input("residual", Type::f32(vec![m, n.into()]));
        b.binary(onto, residual, product)
    });
    b.output("y", y);
    passes::optimize(&b.finish(), &[], |_, _| {})
}

/// The k of each product of a plan, and whether it adds to what is there.
fn segments(program: &Program) -> Vec<(i64, bool)> {
    let of_launch = |launch: &Launch| {
        let kernel = &program.kernels[launch.kernel as usize];
        let Body::Contraction(body) = &kernel.body else { return None };
        Some((body.sizes(&launch.sizes).k.as_constant()?, kernel.operands[2].access == Access::Update))
    };
    program.plans[0].steps.iter().flat_map(Step::launches).filter_map(of_launch).collect()
}

fn planned(graph: &Graph, disabled: &Disabled) -> Program {
    compile_entry(graph, Precision::Bf16, disabled)
}

#[test]
fn a_long_product_is_done_in_segments_that_add_up() {
    let off = Disabled::named(&["segments".to_string()]).expect("its own name");
    for transpose in [false, true] {
        let k = SHARED_K + 77;
        let graph = product(transpose, k, None);
        let sizes = SizeValues::new(&graph.symbols).with(Symbol::BATCH, 2);
        let before = memory(&graph, &sizes, 1);
        let run = |program: &Program| {
            let violations =
                [verify(program, &program.plans[0]), verify_at(program, &program.plans[0], &sizes)].concat();
            assert!(violations.is_empty(), "{}", violations.join("\n"));
            let mut memory = before.clone();
            evaluate(program, &program.plans[0], &sizes, &mut memory);
            memory.find(graph.outputs[0].target).expect("it was written").data.clone()
        };
        let (divided, whole) = (planned(&graph, &Disabled::default()), planned(&graph, &off));
        assert_eq!(segments(&divided), [(1536, false), (1536, true), (k - 3072, true)]);
        assert_eq!(segments(&whole), [(k, false)]);
        assert!(close(&run(&divided), &run(&whole)), "{divided}");
    }
}

/// One k more than a segment has, than two have, and half a segment more.
#[test]
fn no_segment_is_short() {
    let wide = |k: i64| segments(&planned(&of_entry("named", false, [k, 2730], None), &Disabled::default()));
    assert_eq!(wide(1537), [(768, false), (769, true)]);
    assert_eq!(wide(3073), [(1536, false), (768, true), (769, true)]);
    assert_eq!(wide(2304), [(1536, false), (768, true)]);
    assert_eq!(wide(3072), [(1536, false), (1536, true)]);
}

/// In f32, as long as threads can share, more than a sum, or where a text is continued.
#[test]
fn others_are_done_at_once() {
    let of = |graph: &Graph| segments(&planned(graph, &Disabled::default()));
    let long = product(false, SHARED_K + 77, None);
    assert_eq!(segments(&compile_entry(&long, Precision::F32, &Disabled::default())), [(SHARED_K + 77, false)]);
    assert_eq!(of(&product(false, SHARED_K, None)), [(SHARED_K, false)]);
    assert_eq!(of(&product(false, SHARED_K + 77, Some(Binary::Multiply))), [(SHARED_K + 77, false)]);
    assert_eq!(of(&of_entry("decode", false, [SHARED_K + 77, N], None)), [(SHARED_K + 77, false)]);
}
