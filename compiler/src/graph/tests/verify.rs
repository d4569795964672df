//! Every invariant, broken once.

use crate::graph::arbitrary::{Style, graphs};
use crate::graph::{AttentionMask, Builder, Graph, Node, NodeId, Op, Origin, Reduction, Type, Use, Value, verify};
use crate::size::{Size, Symbol, Symbols};
use crate::storage::{RowState, Storage};
use petgraph::graph::NodeIndex;
use proptest::prelude::*;
use std::sync::Arc;

proptest! {
    #[test]
    fn what_the_builder_makes_is_valid(graph in graphs(Style::Wild)) {
        prop_assert_eq!(verify(&graph), vec![]);
    }
}

fn vector() -> Type {
    Type::f32(vec![Size::constant(4)])
}

/// The numbers of the invariants that a graph breaks, for one that begins with the input `x`, f32 `[4]`.
fn broken<R>(change: impl FnOnce(&mut Builder, Value) -> R) -> Vec<u32> {
    let mut b = Builder::new("g", Symbols::default());
    let x = b.input("x", vector());
    change(&mut b, x);
    verify(&b.finish()).into_iter().map(|violation| violation.invariant).collect()
}

/// A node that nobody inferred.
fn forced(b: &mut Builder, op: Op, operands: &[Value], types: Vec<Type>) -> Value {
    b.copy(&Arc::new(Node { op, types, origin: Origin::default() }), operands)
}

#[test]
fn invariant_1_operands_stand_before() {
    let mut graph = Builder::new("g", Symbols::default());
    let x = graph.input("x", vector());
    graph.binary(crate::scalar::Binary::Add, x, x);
    let valid = graph.finish();
    let with_edge = |from: u32, to: u32, operand: u32, result: u32| {
        let mut graph: Graph = valid.clone();
        graph.dag.add_edge(NodeIndex::new(from as usize), NodeIndex::new(to as usize), Use { result, operand });
        verify(&graph).into_iter().map(|v| v.invariant).collect::<Vec<_>>()
    };
    assert_eq!(with_edge(0, 1, 1, 0), [1]);
    assert_eq!(with_edge(0, 1, 3, 0), [1]);
    assert_eq!(with_edge(0, 1, 2, 5), [1]);
    assert_eq!(with_edge(1, 0, 0, 0), [1]);
    assert_eq!(with_edge(0, 1, 2, 0), [2]);
}

#[test]
fn invariant_2_types_are_inferred() {
    let scalar = || Type::f32(vec![]);
    assert_eq!(broken(|b, x| forced(b, Op::Softmax, &[x], vec![scalar()])), [2]);
    assert_eq!(broken(|b, x| forced(b, Op::Embed, &[x, x], vec![scalar()])), [2]);
    assert_eq!(broken(|b, _| forced(b, Op::Constant(0.5), &[], vec![Type::i32(vec![])])), [2]);
    assert_eq!(broken(|b, _| forced(b, Op::SizeOf(Size::constant(1)), &[], vec![vector()])), [2]);
    assert_eq!(broken(|b, _| forced(b, Op::Iota { axis: 1 }, &[], vec![vector()])), [2]);
    let descending = Op::Reduce { reduction: Reduction::Sum, axes: vec![0, 0] };
    assert_eq!(broken(|b, x| forced(b, descending, &[x], vec![Type::f32(vec![Size::constant(1)])])), [2]);
}

#[test]
fn invariant_3_inputs_exist() {
    assert_eq!(broken(|b, _| b.load(Storage::Input(1), vector())), [3]);
    assert_eq!(broken(|b, _| b.load(Storage::Input(0), Type::f32(vec![]))), [3, 4]);
    assert_eq!(broken(|b, _| b.load(Storage::Output(0), vector())), [3]);
}

#[test]
fn invariant_4_a_storage_has_one_type() {
    assert_eq!(
        broken(|b, x| {
            b.load(Storage::Parameter(0), Type::f32(vec![]));
            b.store("g", x, Storage::Gradient(0), true);
        }),
        [4]
    );
}

#[test]
fn invariant_5_outputs_are_numbered_and_named() {
    let nowhere = Value { node: NodeId(9), result: 0 };
    assert_eq!(broken(|b, _| b.store("y", nowhere, Storage::Output(0), false)), [5]);
    assert_eq!(broken(|b, x| b.store("y", x, Storage::Output(1), false)), [5]);
    assert_eq!(broken(|b, x| ["y", "y"].into_iter().for_each(|name| b.output(name, x))), [5]);
}

#[test]
fn invariant_6_a_storage_is_written_once() {
    let stores = |flags: &'static [bool]| {
        move |b: &mut Builder, x| flags.iter().for_each(|add| b.store("w", x, Storage::Parameter(0), *add))
    };
    assert_eq!(broken(stores(&[true, true, true])), []);
    for flags in [&[false, false], &[true, false], &[false, true]] {
        assert_eq!(broken(stores(flags)), [6], "{flags:?}");
    }
    for target in [Storage::Input(0), Storage::Scale(0), Storage::Rows(0, RowState::Decay), Storage::Table(0)] {
        assert_eq!(broken(|b, x| b.store("w", x, target, false)), [6], "{target}");
    }
    assert_eq!(
        broken(|b, _| {
            let one = b.constant(1.0, Type::i32(vec![]));
            b.store("w", one, Storage::Cache(0), true);
        }),
        [6]
    );
}

#[test]
fn invariant_7_symbols_are_known() {
    let strange = || Size::symbol(Symbol(99));
    assert_eq!(broken(|b, _| b.constant(0.0, Type::f32(vec![strange()]))), [7]);
    assert_eq!(broken(|b, _| b.size_of(strange())), [7]);
    assert_eq!(broken(|b, _| b.input("y", Type::f32(vec![strange()]))), [7, 7]);
}

#[test]
fn invariant_8_attributes_make_sense() {
    for eps in [-1e-5, f64::NAN, f64::INFINITY] {
        assert_eq!(broken(|b, x| b.add(Op::LayerNorm { eps }, &[x])), [8], "{eps}");
    }
    let slice = |start: i64, length: i64| {
        move |b: &mut Builder, x| {
            b.add(Op::Slice { axis: 0, start: Size::constant(start), length: Size::constant(length) }, &[x]);
        }
    };
    assert_eq!(broken(slice(1, 3)), []);
    for (start, length) in [(1, 4), (-1, 2), (3, -1)] {
        assert_eq!(broken(slice(start, length)), [8], "{start} {length}");
    }
    let heads = |b: &mut Builder| {
        let sizes = [1, 2, 2, 4].map(Size::constant).to_vec();
        b.constant(0.0, Type::f32(sizes))
    };
    for (channels, base) in [(3, 100.0), (6, 100.0), (2, 0.0), (2, f64::NAN)] {
        let rope = |b: &mut Builder, _| {
            let (x, position) = (heads(b), b.constant(0.0, Type::i32(vec![])));
            b.add(Op::Rope { channels, base, inverse: false }, &[x, position]);
        };
        assert_eq!(broken(rope), [8], "{channels} {base}");
    }
    for (mask, scale) in [(AttentionMask::Window(0), 1.0), (AttentionMask::Full, f64::NAN)] {
        let attention = |b: &mut Builder, _| {
            let x = heads(b);
            b.add(Op::Attention { mask, scale }, &[x, x, x]);
        };
        assert_eq!(broken(attention), [8], "{mask} {scale}");
    }
}

#[test]
fn invariant_9_inputs_have_different_names() {
    assert_eq!(broken(|b, _| b.input("x", vector())), [9]);
}
