//! The table of growths: every theta under every way to grow, proven.

mod choices;
mod experiments;
mod learned;
mod measured;

use super::*;
use crate::graph::{Builder, Op, Type, Value};
use crate::passes::optimize;
use crate::scalar::Unary;
use crate::size::{Size, SizeValues, Symbol, Symbols};
use crate::storage::Storage;

const WIDTH: i64 = 6;
pub(super) const KEYS: u32 = 0;
pub(super) const VALUES: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Theta {
    L2Gelu,
    GeluL2,
    Softmax,
    Gelu,
    GeluLayerNorm,
}

impl Theta {
    const ALL: [Theta; 5] = [Theta::L2Gelu, Theta::GeluL2, Theta::Softmax, Theta::Gelu, Theta::GeluLayerNorm];

    /// The scale's factor when the tokens become `ratio` times as many and it follows its rule.
    fn follows(self, ratio: f64) -> ScaleChange {
        match self {
            Theta::L2Gelu | Theta::GeluL2 => ScaleChange::Moves { factor: ratio.sqrt(), rule: "sqrt(n)".into() },
            Theta::Softmax => ScaleChange::Moves { factor: ratio, rule: "n".into() },
            Theta::Gelu | Theta::GeluLayerNorm => ScaleChange::None,
        }
    }

    fn keeps(self) -> ScaleChange {
        match self {
            Theta::L2Gelu | Theta::GeluL2 | Theta::Softmax => ScaleChange::Kept { retuned_over: None },
            Theta::Gelu | Theta::GeluLayerNorm => ScaleChange::None,
        }
    }
}

pub(super) struct Layer {
    pub graph: Graph,
    pub tokens: Symbol,
}

/// The output of [`build`].
pub(super) fn layer(theta: Theta, eps: f64) -> Layer {
    let mut symbols = Symbols::default();
    let tokens = symbols.add_tokens("n", 0);
    let mut b = Builder::new("evaluate", symbols);
    let (y, _) = build(&mut b, tokens, theta, eps);
    b.output("y", y);
    Layer { graph: b.finish(), tokens }
}

/// x + pattention(x) on x `[batch, WIDTH]`; with the keys and values.
pub(super) fn build(b: &mut Builder, tokens: Symbol, theta: Theta, eps: f64) -> (Value, [Value; 2]) {
    build_with(b, tokens, |b, a| activation(b, theta, eps, a))
}

/// The same with any function from scores to weights.
pub(super) fn build_with(
    b: &mut Builder,
    tokens: Symbol,
    activation: impl Fn(&mut Builder, Value) -> Value,
) -> (Value, [Value; 2]) {
    let rows = vec![Size::symbol(tokens), Size::constant(WIDTH)];
    let x = b.input("x", Type::f32(vec![Size::symbol(Symbol::BATCH), Size::constant(WIDTH)]));
    let keys = b.load(Storage::Parameter(KEYS), Type::f32(rows.clone()));
    let values = b.load(Storage::Parameter(VALUES), Type::f32(rows));
    let a = b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[x, keys]);
    let s = activation(b, a);
    let o = b.add(Op::MatMul { transpose_a: false, transpose_b: false }, &[s, values]);
    (b.binary(crate::scalar::Binary::Add, x, o), [keys, values])
}

fn activation(b: &mut Builder, theta: Theta, eps: f64, a: Value) -> Value {
    match theta {
        Theta::L2Gelu => {
            let unit = b.add(Op::L2Normalize { eps }, &[a]);
            let scaled = times_scale(b, unit);
            b.unary(Unary::Gelu, scaled)
        }
        Theta::GeluL2 => {
            let s = b.unary(Unary::Gelu, a);
            let unit = b.add(Op::L2Normalize { eps }, &[s]);
            times_scale(b, unit)
        }
        Theta::Softmax => {
            let weights = b.add(Op::Softmax, &[a]);
            times_scale(b, weights)
        }
        Theta::Gelu => b.unary(Unary::Gelu, a),
        Theta::GeluLayerNorm => {
            let s = b.unary(Unary::Gelu, a);
            b.add(Op::LayerNorm { eps: 1e-6 }, &[s])
        }
    }
}

fn times_scale(b: &mut Builder, x: Value) -> Value {
    let scale = b.load(Storage::Scale(0), Type::f32(Vec::new()));
    let scale = b.reshape(scale, &[Size::constant(1), Size::constant(1)]);
    let shape = b.ty(x).shape.clone();
    let scale = b.broadcast(scale, &shape);
    b.multiply(x, scale)
}

/// One row of the table: what the new rows hold, and whether the scale follows its rule.
pub(super) struct Way {
    pub name: &'static str,
    pub rows: [NewRows; 2],
    pub follows: bool,
}

pub(super) fn ways() -> Vec<Way> {
    let zero = |what: &str| NewRows::Number(0.0, format!("new {what} are zero"));
    let random = |what: &str| NewRows::Drawn(format!("new {what} are random"));
    let copies = [NewRows::Copies, NewRows::DividedCopies];
    let way = |name, rows, follows| Way { name, rows, follows };
    vec![
        way("zero keys, scale kept", [zero("keys"), random("values")], false),
        way("zero keys, scale follows", [zero("keys"), random("values")], true),
        way("zero values, scale kept", [random("keys"), zero("values")], false),
        way("both zero, scale kept", [zero("keys"), zero("values")], false),
        way("random, scale kept", [random("keys"), random("values")], false),
        way("random, scale follows", [random("keys"), random("values")], true),
        way("split, scale kept", copies.clone(), false),
        way("split, scale follows", copies, true),
    ]
}

pub(super) fn growing(layer: &Layer, theta: Theta, way: &Way, (old, new): (i64, i64)) -> Growing {
    let sizes = |n| SizeValues::new(&layer.graph.symbols).with(layer.tokens, n);
    let scale = if way.follows { theta.follows(new as f64 / old as f64) } else { theta.keeps() };
    Growing { old: sizes(old), new: sizes(new), rows: way.rows.to_vec(), noise: 0.0, scales: vec![scale], pruned: None }
}

#[test]
fn every_theta_under_every_growth() {
    let mut table = String::new();
    for theta in Theta::ALL {
        let layer = layer(theta, 0.0);
        for way in ways() {
            let verdict = preservation(&layer.graph, &growing(&layer, theta, &way, (4, 8)));
            table += &format!("{theta:?}, {}:\n    {verdict}\n", way.name);
        }
    }
    insta::assert_snapshot!(table);
}

/// The same after all passes: composites are written out.
pub(super) fn optimized(layer: &Layer) -> Layer {
    Layer { graph: optimize(&layer.graph, &[], |_, _| {}), tokens: layer.tokens }
}

#[test]
fn a_graph_may_be_optimized_before_it_is_proven() {
    for theta in Theta::ALL {
        let before = layer(theta, 0.0);
        let after = optimized(&before);
        for way in ways() {
            let verdict = |layer: &Layer| preservation(&layer.graph, &growing(layer, theta, &way, (4, 8)));
            let preserves = |layer: &Layer| matches!(verdict(layer), Verdict::Preserves { .. });
            assert_eq!(preserves(&before), preserves(&after), "{theta:?}, {}: {}", way.name, verdict(&after));
        }
    }
}

#[test]
fn an_eps_under_the_norm_forbids_only_what_changes_the_norm() {
    let layer = layer(Theta::L2Gelu, 1e-5);
    let ways = ways();
    let verdict = |name: &str| {
        let way = ways.iter().find(|way| way.name == name).unwrap();
        preservation(&layer.graph, &growing(&layer, Theta::L2Gelu, way, (4, 8))).to_string()
    };
    assert!(verdict("zero keys, scale kept").starts_with("preserves"));
    assert_eq!(
        verdict("split, scale follows"),
        "nearly preserves the function: the norm of a row changes and eps does not"
    );
}
