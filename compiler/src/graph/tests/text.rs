//! parse ∘ print is the identity, and no text makes the parser panic.

use crate::graph::arbitrary::{Style, graphs};
use crate::graph::{Builder, Graph, Type, dot, parse};
use crate::size::{Size, Symbol, Symbols};
use crate::storage::{RowState, Storage};
use proptest::prelude::*;

/// The same nodes, edges, inputs, outputs and symbols. A NaN among the constants is equal to itself, so nodes are compared as they
/// read.
fn assert_same(got: &Graph, want: &Graph) {
    assert_eq!(
        (&got.name, &got.symbols, &got.inputs, &got.outputs),
        (&want.name, &want.symbols, &want.inputs, &want.outputs)
    );
    assert_eq!(got.len(), want.len());
    for id in want.ids() {
        assert_eq!(format!("{:?}", got.node(id)), format!("{:?}", want.node(id)));
        assert_eq!(got.operands(id), want.operands(id));
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(graph in graphs(Style::Wild)) {
        let text = graph.to_string();
        let read = parse(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
        assert_same(&read, &graph);
        prop_assert_eq!(read.to_string(), text);
    }

    /// A line that is cut, doubled or has a word replaced is read as some graph or refused.
    #[test]
    fn damaged_text_does_not_panic(graph in graphs(Style::Wild), line: usize, at: usize, word in "[%@:=.,{}\\[\\]()a-z0-9* +-]{0,6}") {
        let text = graph.to_string();
        let mut lines: Vec<String> = text.lines().map(String::from).collect();
        let line = line % lines.len();
        let mut chars: Vec<char> = lines[line].chars().collect();
        let at = at % (chars.len() + 1);
        chars.splice(at..chars.len().min(at + 3), word.chars());
        lines[line] = chars.into_iter().collect();
        let _ = parse(&lines.join("\n"));
    }
}

#[test]
fn a_graph_reads_like_this() {
    let mut symbols = Symbols::default();
    let n = Size::symbol(symbols.add_tokens("block.0.ffn", 7));
    let mut b = Builder::new("gradient", symbols);
    let tokens = Size::symbol(Symbol::BATCH) * Size::symbol(Symbol::SEQUENCE);
    let x = b.input("x", Type::f32(vec![tokens.clone(), Size::constant(4)]));
    b.origin.path = Some("block.0.ffn".into());
    let keys = b.load(Storage::Parameter(3), Type::f32(vec![n.clone(), Size::constant(4)]));
    let a = b.add(crate::graph::Op::MatMul { transpose_a: false, transpose_b: true }, &[x, keys]);
    let unit = b.add(crate::graph::Op::L2Normalize { eps: 1e-5 }, &[a]);
    let trainable = b.load(Storage::Rows(3, RowState::Trainable), Type::f32(vec![n - Size::constant(2)]));
    b.output("units", unit);
    b.store("a", a, Storage::Gradient(3), true);
    b.store("rows", trainable, Storage::FirstMoment(9), false);
    let graph = b.finish();
    insta::assert_snapshot!(graph, @r"
    graph gradient
    symbol block.0.ffn = tokens 7
    input x: f32[batch*sequence, 4]
    %0 = load input.0: f32[batch*sequence, 4]
    %1 = load parameter.3: f32[block.0.ffn, 4] @ block.0.ffn
    %2 = matmul(%0, %1) {transpose_b}: f32[batch*sequence, block.0.ffn] @ block.0.ffn
    %3 = l2_normalize(%2) {eps=1e-5}: f32[batch*sequence, block.0.ffn] @ block.0.ffn
    %4 = load rows.3.trainable: f32[block.0.ffn - 2] @ block.0.ffn
    output.0 = %3 as units
    gradient.3 += %2 as a
    first_moment.9 = %4 as rows
    ");
    insta::assert_snapshot!(dot::dot(&graph), @r#"
    digraph "gradient" {
      node [shape=plaintext, fontname=monospace];
      n0 [label="load input.0\nf32[batch*sequence, 4]", shape=box];
      n1 [label="load parameter.3\nf32[block.0.ffn, 4]\nblock.0.ffn", shape=box];
      n2 [label="matmul {transpose_b}\nf32[batch*sequence, block.0.ffn]\nblock.0.ffn"];
      n0 -> n2;
      n1 -> n2;
      n3 [label="l2_normalize {eps=1e-5}\nf32[batch*sequence, block.0.ffn]\nblock.0.ffn"];
      n2 -> n3;
      n4 [label="load rows.3.trainable\nf32[block.0.ffn - 2]\nblock.0.ffn", shape=box];
      o0 [label="output.0 =\nunits", shape=box];
      n3 -> o0;
      o1 [label="gradient.3 +=\na", shape=box];
      n2 -> o1;
      o2 [label="first_moment.9 =\nrows", shape=box];
      n4 -> o2;
    }
    "#);
}

#[test]
fn the_wrong_line_is_named() {
    let error = |text: &str| parse(text).map(|_| ()).unwrap_err().to_string();
    let head = "graph g\ninput x: f32[2]\n%0 = load input.0: f32[2]\n";
    let node = |line: &str| error(&format!("{head}{line}\n"));
    insta::assert_snapshot!([
        error(""),
        error("grph g"),
        error("graph g\nsymbol a = tokens 0\nsymbol a = tokens 1"),
        error("graph g\ninput x f32"),
        error("graph g\ninput x: f64[2]"),
        node("%2 = exp(%0): f32[2]"),
        node("%1 = expp(%0): f32[2]"),
        node("%1 = exp(%7): f32[2]"),
        node("%1 = exp(%0.1): f32[2]"),
        node("%1 = exp(%0)"),
        node("%1 = exp(%0): f32[rows]"),
        node("%1 = exp(%0): f32[3]"),
        node("%1 = reduce_sum(%0): f32[1]"),
        node("%1 = reduce_sum(%0) {axes=0}: f32[1]"),
        node("%1 = constant one: f32[]"),
        node("%1 = load weights.0: f32[]"),
        node("output.0 = %0"),
        node("output.1 = %0 as y"),
    ].join("\n"), @r"
    line 1: no graph
    line 1: a graph begins with `graph NAME`
    line 3: two symbols are called `a`
    line 2: an input is `NAME: TYPE`
    line 2: `f64[2]` is no type
    line 4: the next node is %1, not %2
    line 4: `expp` is no operation
    line 4: there is no value `%7` here
    line 4: there is no value `%0.1` here
    line 4: a type is missing
    line 4: there is no size `rows`
    line 4: %1: its types are not those that its operands give it (invariant 2)
    line 4: `axes` is missing
    line 4: `0` is no list
    line 4: `one` is not the number that belongs here
    line 4: `weights.0` is no storage
    line 4: an output is `STORAGE = VALUE as NAME` or `STORAGE += VALUE as NAME`
    line 4: y: it should be output 0 (invariant 5)
    ");
}
