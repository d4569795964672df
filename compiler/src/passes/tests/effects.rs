//! What each pass is for, on graphs written as text.

use super::*;
use crate::autodiff::differentiate;
use crate::graph::{Builder, Op, Type, parse};
use crate::scalar::{Binary, Unary};
use crate::size::{Size, Symbol, Symbols};
use crate::storage::Storage;

/// The nodes and outputs after a pass, without those that died and in canonical order.
fn after(name: &str, nodes: &str) -> String {
    let head = "graph g\nsymbol n = tokens 0\ninput x: f32[batch, 4]\ninput w: f32[n, 4]\ninput ids: i32[batch]\n\
        %0 = load input.0: f32[batch, 4]\n%1 = load input.1: f32[n, 4]\n%2 = load input.2: i32[batch]\n";
    let lines: Vec<&str> = nodes.lines().map(str::trim).collect();
    let graph = parse(&format!("{head}{}", lines.join("\n"))).unwrap_or_else(|why| panic!("{why}"));
    let graph = pass("canonicalize")(&pass("dce")(&pass(name)(&graph)));
    let text = graph.to_string();
    text.lines().skip_while(|line| !line.starts_with('%')).collect::<Vec<_>>().join("\n")
}

/// Ties, infinities and NaN among what a choice is made of, each row of the numbers with another k.
#[test]
fn expand_chooses_the_same() {
    let numbers = [0.0, -0.0, 1.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -2.0, 0.5];
    let x = Tensor::f32(vec![4, 9], (0..36).map(|i| numbers[(i * i + 3 * i) % 9]).collect());
    let ty = Type::f32([4, 9].map(Size::constant).to_vec());
    for k in 1..=9 {
        let mut b = Builder::new("choice", Symbols::default());
        let value = b.input("x", ty.clone());
        let mask = b.add(Op::TopK { k: Size::constant(k) }, &[value]);
        b.output("mask", mask);
        let graph = b.finish();
        let run = |graph: &Graph| crate::interpret::tests::outputs(graph, &[&x]).remove(0);
        assert_eq!(run(&optimize(&graph, &[], |_, _| ())), run(&graph), "k = {k}");
    }
}

#[test]
fn cse_finds_what_reads_the_same() {
    insta::assert_snapshot!(after("cse", "
        %3 = exp(%0): f32[batch, 4]
        %4 = exp(%0): f32[batch, 4]
        %5 = add(%3, %0): f32[batch, 4]
        %6 = add(%0, %4): f32[batch, 4]
        %7 = subtract(%5, %6): f32[batch, 4]
        %8 = subtract(%6, %3): f32[batch, 4]
        %9 = constant 0.0: f32[batch, 4]
        %10 = constant -0.0: f32[batch, 4]
        %11 = select(%7, %9, %10): f32[batch, 4]
        output.0 = %11 as a
        output.1 = %8 as b"), @r"
    %0 = load input.0: f32[batch, 4]
    %1 = exp(%0): f32[batch, 4]
    %2 = add(%1, %0): f32[batch, 4]
    %3 = subtract(%2, %2): f32[batch, 4]
    %4 = subtract(%2, %1): f32[batch, 4]
    %5 = constant 0.0: f32[batch, 4]
    %6 = constant -0.0: f32[batch, 4]
    %7 = select(%3, %5, %6): f32[batch, 4]
    output.0 = %7 as a
    output.1 = %4 as b
    ");
}

#[test]
fn dce_keeps_what_an_output_needs() {
    insta::assert_snapshot!(after("dce", "
        %3 = exp(%0): f32[batch, 4]
        %4 = log(%3): f32[batch, 4]
        %5 = tanh(%3): f32[batch, 4]
        gradient.1 += %5 as g"), @r"
    %0 = load input.0: f32[batch, 4]
    %1 = exp(%0): f32[batch, 4]
    %2 = tanh(%1): f32[batch, 4]
    gradient.1 += %2 as g
    ");
}

#[test]
fn composites_expand_into_reductions_and_pointwise_operations() {
    insta::assert_snapshot!(after("expand", "
        %3 = l2_normalize(%0) {eps=0.0}: f32[batch, 4]
        %4 = l2_normalize(%0) {eps=1e-5}: f32[batch, 4]
        output.0 = %3 as a
        output.1 = %4 as b"), @r"
    %0 = load input.0: f32[batch, 4]
    %1 = reduce_l2_norm(%0) {axes=[1]}: f32[batch, 1]
    %2 = reciprocal_or_zero(%1): f32[batch, 1]
    %3 = broadcast(%2): f32[batch, 4]
    %4 = multiply(%0, %3): f32[batch, 4]
    %5 = reduce_l2_norm(%0) {axes=[1]}: f32[batch, 1]
    %6 = constant 1e-5: f32[batch, 1]
    %7 = add(%5, %6): f32[batch, 1]
    %8 = reciprocal_or_zero(%7): f32[batch, 1]
    %9 = broadcast(%8): f32[batch, 4]
    %10 = multiply(%0, %9): f32[batch, 4]
    output.0 = %4 as a
    output.1 = %10 as b
    ");
    insta::assert_snapshot!(after("expand", "
        %3 = matmul(%0, %1) {transpose_b}: f32[batch, n]
        %4 = layer_norm(%3) {eps=1e-5}: f32[batch, n]
        output.0 = %4 as a"), @r"
    %0 = load input.0: f32[batch, 4]
    %1 = load input.1: f32[n, 4]
    %2 = matmul(%0, %1) {transpose_b}: f32[batch, n]
    %3 = reduce_sum(%2) {axes=[1]}: f32[batch, 1]
    %4 = size_of {of=n}: f32[]
    %5 = reshape(%4): f32[1, 1]
    %6 = broadcast(%5): f32[batch, 1]
    %7 = divide(%3, %6): f32[batch, 1]
    %8 = broadcast(%7): f32[batch, n]
    %9 = subtract(%2, %8): f32[batch, n]
    %10 = multiply(%9, %9): f32[batch, n]
    %11 = reduce_sum(%10) {axes=[1]}: f32[batch, 1]
    %12 = size_of {of=n}: f32[]
    %13 = reshape(%12): f32[1, 1]
    %14 = broadcast(%13): f32[batch, 1]
    %15 = divide(%11, %14): f32[batch, 1]
    %16 = constant 1e-5: f32[batch, 1]
    %17 = add(%15, %16): f32[batch, 1]
    %18 = sqrt(%17): f32[batch, 1]
    %19 = constant 1.0: f32[batch, 1]
    %20 = divide(%19, %18): f32[batch, 1]
    %21 = broadcast(%20): f32[batch, n]
    %22 = multiply(%9, %21): f32[batch, n]
    output.0 = %22 as a
    ");
    insta::assert_snapshot!(after("expand", "
        %3 = rms_norm(%0) {eps=1e-5}: f32[batch, 4]
        %4 = softmax(%0): f32[batch, 4]
        output.0 = %3 as a
        output.1 = %4 as b"), @r"
    %0 = load input.0: f32[batch, 4]
    %1 = multiply(%0, %0): f32[batch, 4]
    %2 = reduce_sum(%1) {axes=[1]}: f32[batch, 1]
    %3 = constant 4.0: f32[batch, 1]
    %4 = divide(%2, %3): f32[batch, 1]
    %5 = constant 1e-5: f32[batch, 1]
    %6 = add(%4, %5): f32[batch, 1]
    %7 = sqrt(%6): f32[batch, 1]
    %8 = constant 1.0: f32[batch, 1]
    %9 = divide(%8, %7): f32[batch, 1]
    %10 = broadcast(%9): f32[batch, 4]
    %11 = multiply(%0, %10): f32[batch, 4]
    %12 = reduce_maximum(%0) {axes=[1]}: f32[batch, 1]
    %13 = broadcast(%12): f32[batch, 4]
    %14 = subtract(%0, %13): f32[batch, 4]
    %15 = exp(%14): f32[batch, 4]
    %16 = reduce_sum(%15) {axes=[1]}: f32[batch, 1]
    %17 = constant 1.0: f32[batch, 1]
    %18 = divide(%17, %16): f32[batch, 1]
    %19 = broadcast(%18): f32[batch, 4]
    %20 = multiply(%15, %19): f32[batch, 4]
    output.0 = %11 as a
    output.1 = %20 as b
    ");
    insta::assert_snapshot!(after("expand", "
        %3 = cross_entropy(%0, %2): f32[batch, 1], f32[batch, 1]
        %4 = cross_entropy_backward(%0, %2, %3.1, %3): f32[batch, 4]
        output.0 = %3 as loss
        output.1 = %4 as gradient"), @r"
    %0 = load input.0: f32[batch, 4]
    %1 = reduce_maximum(%0) {axes=[1]}: f32[batch, 1]
    %2 = broadcast(%1): f32[batch, 4]
    %3 = subtract(%0, %2): f32[batch, 4]
    %4 = exp(%3): f32[batch, 4]
    %5 = reduce_sum(%4) {axes=[1]}: f32[batch, 1]
    %6 = log(%5): f32[batch, 1]
    %7 = add(%1, %6): f32[batch, 1]
    %8 = load input.2: i32[batch]
    %9 = one_hot(%8): f32[batch, 4]
    %10 = constant 0.0: f32[batch, 4]
    %11 = select(%9, %0, %10): f32[batch, 4]
    %12 = reduce_sum(%11) {axes=[1]}: f32[batch, 1]
    %13 = subtract(%7, %12): f32[batch, 1]
    %14 = broadcast(%7): f32[batch, 4]
    %15 = subtract(%0, %14): f32[batch, 4]
    %16 = exp(%15): f32[batch, 4]
    %17 = one_hot(%8): f32[batch, 4]
    %18 = subtract(%16, %17): f32[batch, 4]
    %19 = broadcast(%13): f32[batch, 4]
    %20 = multiply(%18, %19): f32[batch, 4]
    output.0 = %13 as loss
    output.1 = %20 as gradient
    ");
}

#[test]
fn scalars_simplify() {
    insta::assert_snapshot!(after("simplify", "
        %3 = constant 1.0: f32[batch, 4]
        %4 = constant 0.0: f32[batch, 4]
        %5 = constant 4.0: f32[batch, 4]
        %6 = multiply(%0, %3): f32[batch, 4]
        %7 = add(%4, %6): f32[batch, 4]
        %8 = negate(%7): f32[batch, 4]
        %9 = negate(%8): f32[batch, 4]
        %10 = divide(%9, %5): f32[batch, 4]
        %11 = add(%10, %8): f32[batch, 4]
        %12 = add(%5, %3): f32[batch, 4]
        %13 = sqrt(%12): f32[batch, 4]
        %14 = power(%11, %13): f32[batch, 4]
        %15 = less(%4, %3): f32[batch, 4]
        %16 = select(%15, %14, %0): f32[batch, 4]
        output.0 = %16 as y"), @r"
    %0 = load input.0: f32[batch, 4]
    %1 = constant 0.25: f32[batch, 4]
    %2 = multiply(%0, %1): f32[batch, 4]
    %3 = subtract(%2, %0): f32[batch, 4]
    %4 = constant 2.23606797749979: f32[batch, 4]
    %5 = power(%3, %4): f32[batch, 4]
    output.0 = %5 as y
    ");
}

/// 0·x and x − x stay: x may be infinite.
#[test]
fn what_could_hide_an_infinity_stays() {
    insta::assert_snapshot!(after("simplify", "
        %3 = constant 0.0: f32[batch, 4]
        %4 = multiply(%3, %0): f32[batch, 4]
        %5 = subtract(%0, %0): f32[batch, 4]
        %6 = divide(%5, %4): f32[batch, 4]
        output.0 = %6 as y"), @r"
    %0 = constant 0.0: f32[batch, 4]
    %1 = load input.0: f32[batch, 4]
    %2 = multiply(%0, %1): f32[batch, 4]
    %3 = subtract(%1, %1): f32[batch, 4]
    %4 = divide(%3, %2): f32[batch, 4]
    output.0 = %4 as y
    ");
}

#[test]
fn moves_simplify() {
    insta::assert_snapshot!(after("simplify", "
        %3 = reshape(%0): f32[4*batch]
        %4 = reshape(%3): f32[batch, 4]
        %5 = transpose(%4) {permutation=[1, 0]}: f32[4, batch]
        %6 = transpose(%5) {permutation=[1, 0]}: f32[batch, 4]
        %7 = slice(%6) {axis=1, start=1}: f32[batch, 3]
        %8 = slice(%7) {axis=1, start=1}: f32[batch, 1]
        %9 = slice(%6) {axis=1, start=0}: f32[batch, 1]
        %10 = concat(%8, %9) {axis=1}: f32[batch, 2]
        %11 = slice(%10) {axis=1, start=1}: f32[batch, 1]
        %12 = broadcast(%11): f32[batch, 4]
        %13 = broadcast(%8): f32[batch, 4]
        %14 = multiply(%12, %13): f32[batch, 4]
        %15 = slice(%0) {axis=1, start=0}: f32[batch, 3]
        %16 = slice(%0) {axis=1, start=3}: f32[batch, 1]
        %17 = concat(%15, %16) {axis=1}: f32[batch, 4]
        %18 = add(%14, %17): f32[batch, 4]
        output.0 = %18 as y"), @r"
    %0 = load input.0: f32[batch, 4]
    %1 = slice(%0) {axis=1, start=2}: f32[batch, 1]
    %2 = slice(%0) {axis=1, start=0}: f32[batch, 1]
    %3 = multiply(%2, %1): f32[batch, 1]
    %4 = broadcast(%3): f32[batch, 4]
    %5 = add(%4, %0): f32[batch, 4]
    output.0 = %5 as y
    ");
}

#[test]
fn reductions_of_constants_and_of_single_elements_simplify() {
    insta::assert_snapshot!(after("simplify", "
        %3 = constant 3.0: f32[batch, 4]
        %4 = reduce_sum(%3) {axes=[1]}: f32[batch, 1]
        %5 = reduce_l2_norm(%4) {axes=[1]}: f32[batch, 1]
        %6 = reduce_sum(%3) {axes=[0]}: f32[1, 4]
        %7 = reduce_maximum(%6) {axes=[0, 1]}: f32[1, 1]
        %8 = slice(%0) {axis=1, start=0}: f32[batch, 1]
        %9 = reduce_l2_norm(%8) {axes=[1]}: f32[batch, 1]
        output.0 = %5 as a
        output.1 = %7 as b
        output.2 = %9 as c"), @r"
    %0 = constant 3.0: f32[batch, 4]
    %1 = reduce_sum(%0) {axes=[0]}: f32[1, 4]
    %2 = reduce_maximum(%1) {axes=[1]}: f32[1, 1]
    %3 = load input.0: f32[batch, 4]
    %4 = slice(%3) {axis=1, start=0}: f32[batch, 1]
    %5 = absolute(%4): f32[batch, 1]
    %6 = constant 12.0: f32[batch, 1]
    output.0 = %6 as a
    output.1 = %2 as b
    output.2 = %5 as c
    ");
}

#[test]
fn products_take_their_operands_as_they_lie() {
    insta::assert_snapshot!(after("simplify", "
        %3 = transpose(%1) {permutation=[1, 0]}: f32[4, n]
        %4 = matmul(%0, %3): f32[batch, n]
        %5 = transpose(%0) {permutation=[1, 0]}: f32[4, batch]
        %6 = matmul(%5, %4): f32[4, n]
        %7 = matmul(%6, %3) {transpose_b}: f32[4, 4]
        output.0 = %7 as y"), @r"
    %0 = load input.0: f32[batch, 4]
    %1 = load input.1: f32[n, 4]
    %2 = matmul(%0, %1) {transpose_b}: f32[batch, n]
    %3 = matmul(%0, %2) {transpose_a}: f32[4, n]
    %4 = matmul(%3, %1): f32[4, 4]
    output.0 = %4 as y
    ");
}

#[test]
fn sources_stand_before_their_use() {
    insta::assert_snapshot!(after("canonicalize", "
        %3 = constant 2.0: f32[batch, 4]
        %4 = constant 3.0: f32[n, 4]
        %5 = exp(%0): f32[batch, 4]
        %6 = multiply(%1, %4): f32[n, 4]
        %7 = multiply(%5, %3): f32[batch, 4]
        output.0 = %2 as ids
        output.1 = %7 as a
        output.2 = %6 as b"), @r"
    %0 = load input.0: f32[batch, 4]
    %1 = exp(%0): f32[batch, 4]
    %2 = load input.1: f32[n, 4]
    %3 = constant 3.0: f32[n, 4]
    %4 = multiply(%2, %3): f32[n, 4]
    %5 = constant 2.0: f32[batch, 4]
    %6 = multiply(%1, %5): f32[batch, 4]
    %7 = load input.2: i32[batch]
    output.0 = %7 as ids
    output.1 = %6 as a
    output.2 = %4 as b
    ");
}

/// The backward pass of a Pattention: six products in all, and nothing over [T, n] that a product could not load or store through.
#[test]
fn a_pattention_and_its_gradient_after_all_passes() {
    let mut symbols = Symbols::default();
    let n = Size::symbol(symbols.add_tokens("n", 0));
    let [t, d] = [Size::symbol(Symbol::BATCH), Size::constant(4)];
    let mut b = Builder::new("pattention", symbols);
    let x = b.input("x", Type::f32(vec![t.clone(), d.clone()]));
    let upstream = b.input("upstream", Type::f32(vec![t, d.clone()]));
    let [keys, values] = [0, 1].map(|i| b.load(Storage::Parameter(i), Type::f32(vec![n.clone(), d.clone()])));
    let scale = b.load(Storage::Scale(0), Type::f32(vec![]));
    let a = b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[x, keys]);
    let unit = b.add(Op::L2Normalize { eps: 0.0 }, &[a]);
    let scale = b.spread(scale, unit);
    let scaled = b.multiply(unit, scale);
    let s = b.unary(Unary::Gelu, scaled);
    let out = b.add(Op::MatMul { transpose_a: false, transpose_b: false }, &[s, values]);
    let y = b.binary(Binary::Add, out, x);
    let gradients = differentiate(&mut b, y, upstream, &[x, keys, values]);
    b.output("y", y);
    b.output("dx", gradients[0]);
    b.store("keys", gradients[1], Storage::Gradient(0), true);
    b.store("values", gradients[2], Storage::Gradient(1), true);
    insta::assert_snapshot!(optimize(&b.finish(), &[], |_, _| ()), @r"
    graph pattention
    symbol n = tokens 0
    input x: f32[batch, 4]
    input upstream: f32[batch, 4]
    %0 = load input.0: f32[batch, 4]
    %1 = load parameter.0: f32[n, 4]
    %2 = matmul(%0, %1) {transpose_b}: f32[batch, n]
    %3 = reduce_l2_norm(%2) {axes=[1]}: f32[batch, 1]
    %4 = reciprocal_or_zero(%3): f32[batch, 1]
    %5 = broadcast(%4): f32[batch, n]
    %6 = multiply(%2, %5): f32[batch, n]
    %7 = load scale.0: f32[]
    %8 = reshape(%7): f32[1, 1]
    %9 = broadcast(%8): f32[batch, n]
    %10 = multiply(%6, %9): f32[batch, n]
    %11 = gelu(%10): f32[batch, n]
    %12 = load parameter.1: f32[n, 4]
    %13 = matmul(%11, %12): f32[batch, 4]
    %14 = add(%13, %0): f32[batch, 4]
    %15 = load input.1: f32[batch, 4]
    %16 = matmul(%15, %12) {transpose_b}: f32[batch, n]
    %17 = matmul(%11, %15) {transpose_a}: f32[n, 4]
    %18 = gelu_derivative(%10): f32[batch, n]
    %19 = multiply(%16, %18): f32[batch, n]
    %20 = multiply(%19, %9): f32[batch, n]
    %21 = multiply(%20, %6): f32[batch, n]
    %22 = reduce_sum(%21) {axes=[1]}: f32[batch, 1]
    %23 = broadcast(%22): f32[batch, n]
    %24 = multiply(%6, %23): f32[batch, n]
    %25 = subtract(%20, %24): f32[batch, n]
    %26 = multiply(%25, %5): f32[batch, n]
    %27 = matmul(%26, %1): f32[batch, 4]
    %28 = matmul(%26, %0) {transpose_a}: f32[n, 4]
    %29 = add(%15, %27): f32[batch, 4]
    output.0 = %14 as y
    output.1 = %29 as dx
    gradient.0 += %28 as keys
    gradient.1 += %17 as values
    ");
}
