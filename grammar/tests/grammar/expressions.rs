//! What the parts of a text mean: precedence, numbers, paths, comments, spans.

use tfc_grammar::ast::{Expr, ExprKind, ItemKind, MemberKind};
use tfc_grammar::{Diagnostic, Sources, Span, parse, parse_expr, parse_pattern};

use crate::properties::essence;

fn expr(text: &str) -> Result<Expr, Diagnostic> {
    let mut sources = Sources::default();
    let file = sources.add("expression", text);
    parse_expr(&sources, file)
}

fn assert_same(text: &str, with_parentheses: &str) {
    assert_eq!(essence(&expr(text)), essence(&expr(with_parentheses)), "{text}");
    assert!(expr(text).is_ok());
}

#[test]
fn precedence() {
    assert_same("a + b * c", "a + (b * c)");
    assert_same("a * b + c", "(a * b) + c");
    assert_same("a - b - c", "(a - b) - c");
    assert_same("a / b * c", "(a / b) * c");
    assert_same("a + b |> f", "(a + b) |> f");
    assert_same("a |> f |> g(b)", "(a |> f) |> g(b)");
    assert_same("a |> f < b + c", "(a |> f) < (b + c)");
    assert_same("-a * b", "(-a) * b");
    assert_same("-a[0].b(c)", "-(((a[0]).b)(c))");
    assert_same("a - -b", "a - (-b)");
    assert_same("x[a + b..c |> f]", "x[(a + b)..(c |> f)]");
}

#[test]
fn a_pipe_is_not_a_call_with_the_input_inside() {
    let piped = expr("x |> f(a)").map(|expr| expr.kind);
    assert!(matches!(piped, Ok(ExprKind::Pipe { input, call })
        if input.as_name() == Some("x") && matches!(&call.kind, ExprKind::Call { args, .. } if args.len() == 1)));
}

#[test]
fn numbers() {
    let number = |text| match expr(text).map(|expr| expr.kind) {
        Ok(ExprKind::Number(number)) => (number.value, number.as_integer(), number.percent),
        other => panic!("{other:?}"),
    };
    assert_eq!(number("600K"), (6e5, Some(600_000), false));
    assert_eq!(number("0.5%"), (0.005, None, true));
    assert_eq!(number("1.5"), (1.5, None, false));
    assert_eq!(number("9007199254740991"), (9007199254740991.0, Some((1 << 53) - 1), false));
    assert_eq!(number("9007199254740993"), (9007199254740992.0, None, false));
}

#[test]
fn a_path_of_a_parameter_is_a_pattern() {
    let pattern = |text: &str| {
        let mut sources = Sources::default();
        let file = sources.add("pattern", text);
        parse_pattern(&sources, file)
    };
    assert_eq!(essence(&pattern("block.3.attend.q.keys")), essence(&pattern("block[3].attend.q.keys")));
    assert!(pattern("grow.\"757M\".steps").is_ok());
    assert_eq!(pattern(" qkv ").ok().and_then(|pattern| pattern.as_name().map(str::to_owned)), Some("qkv".to_owned()));
    for text in ["", "a b", "a.", "3", "a[", "a[1][2]"] {
        assert!(pattern(text).is_err(), "{text}");
    }
}

#[test]
fn an_expression_given_alone_is_whole() {
    for text in ["", "a b", "a +", "(", "x = 1", "// only a comment"] {
        assert!(expr(text).is_err(), "{text}");
    }
}

#[test]
fn spans_cover_their_text_and_docs_are_kept() {
    let text = "/// A model\n/// of nothing.\n// not a doc\nmodel tiny {\n  loss = (a + b) * c.d\n}\n";
    let mut sources = Sources::default();
    let file = sources.add("model.tfm", text);
    let (tree, _) = parse(&sources, file);
    let [item] = tree.items.statements.as_slice() else { panic!("one item") };
    assert_eq!(item.trivia.docs(), "A model\nof nothing.");
    assert_eq!(sources.snippet(item.span), "model tiny {\n  loss = (a + b) * c.d\n}");

    let ItemKind::Model(model) = &item.kind else { panic!("a model") };
    let MemberKind::Binding(loss) = &model.members.statements[0].kind else { panic!("a binding") };
    let snippet = |span: Span| sources.snippet(span);
    assert_eq!(snippet(loss.name.span), "loss");
    assert_eq!(snippet(loss.value.span), "(a + b) * c.d");
    let ExprKind::Binary { left, right, .. } = &loss.value.kind else { panic!("a product") };
    assert_eq!(snippet(left.span), "(a + b)");
    assert_eq!(snippet(right.span), "c.d");
}
