//! Plans against the interpreter.

use super::*;
use crate::compiled::Entry;
use crate::graph::Graph;
use crate::graph::arbitrary::{self, Style};
use crate::interpret::{Data, Memory, interpret};
use crate::optimization::{Disabled, Optimization};
use crate::passes;
use crate::precision::Precision;
use crate::size::SizeValues;
use proptest::prelude::*;

mod depth;
mod layout;
mod levels;
mod models;
mod narrow;
mod rotary;
mod row_epilogues;
mod rows;
mod segments;
mod verify;

/// Compiles a graph and runs both; panics where they differ.
fn check(graph: &Graph, sizes: &SizeValues, memory: &Memory) -> Program {
    check_without(graph, &Disabled::default(), sizes, memory)
}

/// The same with some optimizations switched off.
fn check_without(graph: &Graph, disabled: &Disabled, sizes: &SizeValues, memory: &Memory) -> Program {
    let program = compile_entry(graph, Precision::F32, disabled);
    let plan = &program.plans[0];
    let violations = [verify(&program, plan), verify_at(&program, plan, sizes)].concat();
    assert!(violations.is_empty(), "{}\n{graph}\n{program}", violations.join("\n"));
    let (mut expected, mut found) = (memory.clone(), memory.clone());
    interpret(graph, sizes, &mut expected);
    evaluate(&program, plan, sizes, &mut found);
    for output in &graph.outputs {
        let [expected, found] = [&expected, &found].map(|m| &m.find(output.target).expect("it was written").data);
        assert!(close(expected, found), "{} differs: {expected:?}\n{found:?}\n{graph}\n{program}", output.name);
    }
    program
}

fn close(a: &Data, b: &Data) -> bool {
    match (a, b) {
        (Data::F32(a), Data::F32(b)) => {
            let scale = a.iter().filter(|x| x.is_finite()).fold(1e-3, |m: f64, x| m.max(x.abs()));
            let near = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * scale;
            a.len() == b.len() && a.iter().zip(b).all(near)
        }
        (a, b) => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plans_of_random_graphs_compute_what_the_graphs_mean(graph in arbitrary::graphs(Style::Smooth)) {
        let graph = passes::optimize(&graph, &["simplify", "cse", "canonicalize"], |_, _| {});
        let (sizes, memory) = arbitrary::call(&graph);
        check(&graph, &sizes, &memory);
    }

    #[test]
    fn so_do_those_whose_steps_are_sorted(graph in arbitrary::graphs(Style::Smooth)) {
        let mut graph = passes::optimize(&graph, &["simplify", "cse", "canonicalize"], |_, _| {});
        graph.name = Entry::Decode.name().to_string();
        let (sizes, memory) = arbitrary::call(&graph);
        check(&graph, &sizes, &memory);
    }

    /// Within the 1e-9 of [`close`]: sums in another order.
    #[test]
    fn plans_compute_the_same_whatever_is_switched_off(
        graph in arbitrary::graphs(Style::Smooth),
        off in prop::sample::select(&Optimization::ALL[..]),
    ) {
        let disabled = Disabled::named(&[off.name().to_string()]).expect("its own name");
        let graph = passes::optimize(&graph, &disabled.names(), |_, _| {});
        let (sizes, memory) = arbitrary::call(&graph);
        check_without(&graph, &disabled, &sizes, &memory);
    }
}
