//! Which products are done in segments of k, each plan against the interpreter.

use super::models::{builder, memory, parameter};
use super::*;
use crate::graph::{Op, Type};
use crate::kernel::Body;
use crate::scalar::Binary;
use crate::size::{Size, Symbol};

/// A panel that threads share has three quarters of these k.
const N: i64 = 1024;
const K: i64 = 4096 + 77;

/// The k of each product in a plan of x · w, and whether it adds to what is there.
fn products(transpose: bool, k: i64, onto: Option<Binary>) -> Vec<(i64, bool)> {
    let (mut b, _) = builder("named");
    let stored = |rows: Size, columns: Size| if transpose { vec![columns, rows] } else { vec![rows, columns] };
    let m = Size::symbol(Symbol::BATCH);
    let x = b.input("x", Type::f32(stored(m.clone(), k.into())));
    let w = parameter(&mut b, 0, &stored(k.into(), N.into()));
    let product = b.add(Op::MatMul { transpose_a: transpose, transpose_b: transpose }, &[x, w]);
    let y = onto.map_or(product, |onto| {
        let residual = b.input("residual", Type::f32(vec![m, N.into()]));
        b.binary(onto, residual, product)
    });
    b.output("y", y);
    let graph = passes::optimize(&b.finish(), &[], |_, _| {});
    let sizes = SizeValues::new(&graph.symbols).with(Symbol::BATCH, 2);
    let program = check(&graph, &sizes, &memory(&graph, &sizes, 1));
    let of_launch = |launch: &Launch| {
        let kernel = &program.kernels[launch.kernel as usize];
        let Body::Contraction(body) = &kernel.body else { return None };
        Some((body.sizes(&launch.sizes).k.as_constant()?, kernel.operands[2].access == crate::kernel::Access::Update))
    };
    program.plans[0].steps.iter().flat_map(Step::launches).filter_map(of_launch).collect()
}

#[test]
fn a_long_product_is_done_in_segments_that_add_up() {
    for transpose in [false, true] {
        assert_eq!(products(transpose, K, None), [(3072, false), (K - 3072, true)]);
    }
}

/// As long as threads can share, or more than a sum.
#[test]
fn others_are_done_at_once() {
    assert_eq!(products(false, 4096, None), [(4096, false)]);
    assert_eq!(products(false, K, Some(Binary::Multiply)), [(K, false)]);
}
