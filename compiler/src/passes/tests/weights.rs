//! Weights are the parameters, rounded and turned.

use super::{call, graphs};
use crate::graph::arbitrary::Style;
use crate::graph::{Graph, parse, verify};
use crate::interpret::interpret;
use crate::passes::weights;
use crate::precision::Precision;
use proptest::prelude::*;

/// What a graph makes of the parameters of `given`.
fn outputs(given: &Graph, graph: &Graph) -> Vec<Vec<f64>> {
    let (sizes, mut memory) = call(given);
    interpret(graph, &sizes, &mut memory);
    let written = graph.outputs.iter().map(|output| memory.find(output.target).expect("an output is written"));
    written.map(|tensor| tensor.floats().to_vec()).collect()
}

proptest! {
    /// But for the order in which products are added up.
    #[test]
    fn weights_change_nothing_in_f32(graph in graphs(Style::Smooth)) {
        let after = weights(&graph, Precision::F32);
        prop_assert_eq!(verify(&after), vec![]);
        for (want, got) in outputs(&graph, &graph).into_iter().flatten().zip(outputs(&graph, &after).into_iter().flatten()) {
            let near = want == got || (want - got).abs() <= 1e-9 * want.abs().max(1.0);
            prop_assert!(near, "{} became {}\n{}\n{}", want, got, graph, after);
        }
    }

    #[test]
    fn weights_in_bf16_are_a_valid_graph(graph in graphs(Style::Smooth)) {
        let after = weights(&graph, Precision::Bf16);
        prop_assert_eq!(verify(&after), vec![]);
        prop_assert_eq!(parse(&after.to_string()).expect("it reads back").to_string(), after.to_string());
        prop_assert_eq!(outputs(&graph, &after).len(), graph.outputs.len());
    }
}

/// A table that is looked up in and multiplied with; a matrix that is multiplied from both sides; one that is computed with; one that is turned.
const GRAPH: &str = "graph g
input ids: i32[batch, sequence]
%0 = load input.0: i32[batch, sequence]
%1 = load parameter.0: f32[9, 4]
%2 = embed(%0, %1): f32[batch, sequence, 4]
%3 = matmul(%2, %1) {transpose_b}: f32[batch, sequence, 9]
%4 = load parameter.1: f32[4, 4]
%5 = matmul(%2, %4): f32[batch, sequence, 4]
%6 = matmul(%5, %4) {transpose_b}: f32[batch, sequence, 4]
%7 = load parameter.2: f32[4, 4]
%8 = exp(%7): f32[4, 4]
%9 = matmul(%6, %8): f32[batch, sequence, 4]
%10 = load parameter.3: f32[4, 5]
%11 = matmul(%9, %10): f32[batch, sequence, 5]
output.0 = %3 as logits
output.1 = %11 as y
";

#[test]
fn what_all_read_alike_is_read_as_a_weight() {
    let graph: Graph = parse(GRAPH).expect("a graph");
    let f32 = "graph g
input ids: i32[batch, sequence]
%0 = load input.0: i32[batch, sequence]
%1 = load parameter.0: f32[9, 4]
%2 = embed(%0, %1): f32[batch, sequence, 4]
%3 = matmul(%2, %1) {transpose_b}: f32[batch, sequence, 9]
%4 = load parameter.1: f32[4, 4]
%5 = matmul(%2, %4): f32[batch, sequence, 4]
%6 = matmul(%5, %4) {transpose_b}: f32[batch, sequence, 4]
%7 = load parameter.2: f32[4, 4]
%8 = exp(%7): f32[4, 4]
%9 = matmul(%6, %8): f32[batch, sequence, 4]
%10 = load weight.3.f32.transposed: f32[5, 4]
%11 = matmul(%9, %10) {transpose_b}: f32[batch, sequence, 5]
output.0 = %3 as logits
output.1 = %11 as y
";
    assert_eq!(weights(&graph, Precision::F32).to_string(), f32);
    let bf16 = f32
        .replace("load parameter.0: f32[9, 4]", "load weight.0.bf16: bf16[9, 4]")
        .replace("load weight.3.f32.transposed: f32[5, 4]", "load weight.3.bf16.transposed: bf16[5, 4]");
    assert_eq!(weights(&graph, Precision::Bf16).to_string(), bf16);
}
