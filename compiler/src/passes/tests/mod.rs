//! Every pass keeps what random graphs compute, and does what it is for.

mod chunked_loss;
mod effects;
mod weights;

use super::*;
use crate::graph::arbitrary::{Style, call, graphs};
use crate::interpret::{Memory, Tensor, interpret};
use proptest::prelude::*;

/// The memory after a call.
fn run(graph: &Graph) -> Memory {
    let (sizes, mut memory) = call(graph);
    interpret(graph, &sizes, &mut memory);
    memory
}

/// Every output of `after` is that of `before`: NaN where it was, the same infinities, and else equal within `tolerance` of the
/// largest magnitude of the tensor; where values may cancel, `ordinary` is the magnitude that they had before.
fn assert_same(before: &Graph, after: &Graph, tolerance: f64, ordinary: f64) {
    assert_eq!(verify(after), vec![], "\n{before}\n{after}");
    let [want, got] = [before, after].map(run);
    for output in &before.outputs {
        let [want, got] = [&want, &got].map(|memory| memory.find(output.target).expect("an output is written"));
        assert_eq!(want.shape, got.shape);
        let largest = finite(want).fold(ordinary, |m: f64, x| m.max(x.abs()));
        for (want, got) in want.floats().iter().zip(got.floats()) {
            let same = want == got || (want.is_nan() && got.is_nan()) || (want - got).abs() <= tolerance * largest;
            assert!(same, "{}: {got}, not {want}\n{before}\n{after}", output.name);
        }
    }
}

fn finite(x: &Tensor) -> impl Iterator<Item = f64> + '_ {
    x.floats().iter().copied().filter(|x| x.is_finite())
}

fn pass(name: &str) -> fn(&Graph) -> Graph {
    PASSES.iter().find(|pass| pass.name == name).expect("the name of a pass").run
}

proptest! {
    #[test]
    fn moving_nodes_changes_no_bit(graph in graphs(Style::Wild)) {
        for name in ["dce", "cse", "canonicalize"] {
            assert_same(&graph, &pass(name)(&graph), 0.0, 0.0);
        }
    }

    #[test]
    fn simplify_keeps_the_results(graph in graphs(Style::Wild)) {
        assert_same(&graph, &pass("simplify")(&graph), 1e-12, 0.0);
    }

    #[test]
    fn expand_keeps_the_results(graph in graphs(Style::Smooth)) {
        assert_same(&graph, &pass("expand")(&graph), 1e-12, 1.0);
    }

    #[test]
    fn the_pipeline_keeps_the_results_whatever_is_left_out(graph in graphs(Style::Smooth), left_out in 0..PASSES.len()) {
        assert_same(&graph, &optimize(&graph, &[], |_, _| ()), 1e-12, 1.0);
        assert_same(&graph, &optimize(&graph, &[PASSES[left_out].name], |_, _| ()), 1e-12, 1.0);
    }

    /// A second run of a pass finds nothing more to do.
    #[test]
    fn every_pass_is_idempotent(graph in graphs(Style::Wild)) {
        for Pass { name, run } in PASSES {
            let once = pass("dce")(&run(&pass("dce")(&graph)));
            prop_assert_eq!(pass("dce")(&run(&once)).to_string(), once.to_string(), "{}", name);
        }
    }
}
