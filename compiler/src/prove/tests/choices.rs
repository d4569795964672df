//! Growth under a choice of the k largest: every way to grow, by the scores as they are and by their squares, proven and measured.

use super::learned::gradients_of;
use super::measured::{OLD, measured};
use super::*;
use crate::scalar::Binary;

/// GELU(a masked)·V; the mask's scores are a, or a².
fn routed(k: i64, squares: bool) -> impl Fn(&mut Builder, Value) -> Value {
    move |b, a| {
        let scores = if squares { b.multiply(a, a) } else { a };
        let mask = b.add(Op::TopK { k: Size::constant(k) }, &[scores]);
        let kept = b.multiply(a, mask);
        b.unary(Unary::Gelu, kept)
    }
}

fn routed_layer(k: i64, squares: bool) -> Layer {
    let mut symbols = Symbols::default();
    let tokens = symbols.add_tokens("n", 0);
    let mut b = Builder::new("evaluate", symbols);
    let (y, _) = build_with(&mut b, tokens, routed(k, squares));
    b.output("y", y);
    Layer { graph: b.finish(), tokens }
}

#[test]
fn every_growth_under_a_choice() {
    let mut table = String::new();
    for squares in [false, true] {
        let layer = routed_layer(3, squares);
        for way in ways().iter().filter(|way| !way.follows) {
            let growing = growing(&layer, Theta::Gelu, way, (OLD, 2 * OLD));
            let (verdict, change) = (preservation(&layer.graph, &growing), measured(&layer, &growing, 2));
            match &verdict {
                Verdict::Preserves { .. } => assert!(change < 1e-14, "{}: {change}", way.name),
                Verdict::Changes { .. } => assert!(change > 1e-3, "{}: {change}", way.name),
                Verdict::NearlyPreserves { because, .. } | Verdict::Unproven { because, .. } => panic!("{because}"),
            }
            let what = if squares { "by a²" } else { "by a" };
            table += &format!("{what}, {}:\n    {verdict}\n", way.name);
        }
    }
    insta::assert_snapshot!(table);
}

/// Scores of which not even zeros can be told to be the smallest, or of which it is not known whether they are.
#[test]
fn what_is_not_known_of_the_scores_is_not_claimed() {
    let verdict = |scores: &dyn Fn(&mut Builder, Value) -> Value| {
        let mut symbols = Symbols::default();
        let tokens = symbols.add_tokens("n", 0);
        let mut b = Builder::new("evaluate", symbols);
        let (y, _) = build_with(&mut b, tokens, |b, a| {
            let scores = scores(b, a);
            let mask = b.add(Op::TopK { k: Size::constant(2) }, &[scores]);
            b.multiply(a, mask)
        });
        b.output("y", y);
        let layer = Layer { graph: b.finish(), tokens };
        let zero_keys = &ways()[0];
        preservation(&layer.graph, &growing(&layer, Theta::Gelu, zero_keys, (4, 8))).to_string()
    };
    let one = |b: &mut Builder, x: Value| b.like(x, 1.0);
    insta::assert_snapshot!(
        [
            verdict(&|b, a| b.unary(Unary::Exp, a)),
            verdict(&|b, a| b.unary(Unary::Gelu, a)),
            verdict(&|b, a| b.unary(Unary::Relu, a)),
            verdict(&|b, a| {
                let one = one(b, a);
                b.binary(Binary::Subtract, a, one)
            }),
        ]
        .join("\n")
    );
}

/// Where no old token makes way for one whose score is zero, the new ones are never chosen, so they do not learn.
#[test]
fn new_tokens_that_are_never_chosen_never_learn() {
    let learns = |squares: bool, way: usize| {
        let layer = gradients_of(routed(3, squares));
        let growing = growing(&layer, Theta::Gelu, &ways()[way], (4, 8));
        learning(&layer.graph, &growing).never
    };
    let (zero_keys, random) = (0, 4);
    assert_eq!(learns(true, zero_keys), [KEYS, VALUES]);
    assert_eq!(learns(true, random), [0; 0]);
    assert_eq!(learns(false, zero_keys), [0; 0]);
}

/// The number that is chosen may grow as well.
#[test]
fn a_choice_of_more() {
    let mut symbols = Symbols::default();
    let (tokens, chosen) = (symbols.add_tokens("n", 0), symbols.add_tokens("chosen", 1));
    let mut b = Builder::new("evaluate", symbols);
    let (y, _) = build_with(&mut b, tokens, |b, a| {
        let mask = b.add(Op::TopK { k: Size::symbol(chosen) }, &[a]);
        b.multiply(a, mask)
    });
    b.output("y", y);
    let layer = Layer { graph: b.finish(), tokens };
    let verdict = |way: usize, before: [i64; 2], after: [i64; 2]| {
        let mut growing = growing(&layer, Theta::Gelu, &ways()[way], (before[1], after[1]));
        growing.old.set(chosen, before[0]);
        growing.new.set(chosen, after[0]);
        preservation(&layer.graph, &growing).to_string()
    };
    let (zero_keys, split) = (0, 6);
    insta::assert_snapshot!(
        [
            verdict(zero_keys, [2, 4], [3, 4]),
            verdict(zero_keys, [4, 4], [8, 8]),
            verdict(split, [2, 4], [4, 8]),
            verdict(split, [2, 4], [2, 8]),
        ]
        .join("\n")
    );
}
