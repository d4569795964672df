//! Random syntax trees. All spans are the same: a tree is compared without them.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tfc_grammar::ast::*;
use tfc_grammar::{Sources, Span, parse_expr};

pub fn file() -> impl Strategy<Value = File> {
    let items = block(item(), 0..5, false);
    items.prop_map(|items| File { id: span().file, items })
}

fn span() -> Span {
    Span::new(Sources::default().add("", ""), 0, 0)
}

fn name() -> impl Strategy<Value = String> {
    const CONTEXTUAL: [&str; 12] =
        ["use", "model", "layer", "let", "tokens", "data", "train", "grow", "forward", "by", "iff", "_"];
    const RESERVED: [&str; 7] = ["true", "false", "if", "else", "on", "stage", "expect"];
    prop_oneof![
        4 => "[a-z_][A-Za-z0-9_]{0,5}".prop_filter("a word of the language", |name| !RESERVED.contains(&name.as_str())),
        1 => select(&CONTEXTUAL[..]).prop_map(str::to_owned),
    ]
}

fn spanned_name() -> impl Strategy<Value = Name> {
    name().prop_map(|text| Name { text, span: span() })
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,8}", r#"[\\"/\n\tä]{0,4}"#]
}

fn spanned_text() -> impl Strategy<Value = Text> {
    string().prop_map(|value| Text { value, span: span() })
}

fn comment() -> impl Strategy<Value = Comment> {
    "//[ -~]{0,8}".prop_map(|text| Comment { text: text.trim_end().to_owned(), blank_before: false, span: span() })
}

fn trivia() -> impl Strategy<Value = Trivia> {
    let some = (vec(comment(), 0..3), option::of(comment())).prop_map(|(leading, trailing)| Trivia {
        blank_before: false,
        leading,
        trailing,
    });
    prop_oneof![8 => Just(Trivia::default()), 1 => some]
}

fn block<K: std::fmt::Debug + 'static>(
    kind: impl Strategy<Value = K> + 'static,
    size: std::ops::Range<usize>,
    braces: bool,
) -> BoxedStrategy<Block<K>> {
    let statement = (kind, trivia()).prop_map(|(kind, trivia)| Statement { kind, span: span(), trivia });
    let opening = if braces { option::weighted(0.1, comment()).boxed() } else { Just(None).boxed() };
    let closing = prop_oneof![8 => Just(vec![]), 1 => vec(comment(), 0..3)];
    (vec(statement, size), opening, closing)
        .prop_map(|(statements, opening, closing)| Block { statements, span: span(), opening, closing })
        .boxed()
}

fn number() -> impl Strategy<Value = ExprKind> {
    r"[0-9]{1,4}(\.[0-9]{1,3})?(e[+-]?[0-9]{1,2})?[KMB%]?".prop_map(|spelling| {
        let mut sources = Sources::default();
        let file = sources.add("number", spelling);
        parse_expr(&sources, file).expect("a number in range").kind
    })
}

fn of_kind(kind: ExprKind) -> Expr {
    Expr { kind, span: span() }
}

fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        number(),
        string().prop_map(ExprKind::Text),
        any::<bool>().prop_map(ExprKind::Flag),
        name().prop_map(ExprKind::Name),
    ];
    leaf.prop_map(of_kind).prop_recursive(5, 40, 4, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let pair = (boxed(), boxed());
        prop_oneof![
            boxed().prop_map(ExprKind::Negate),
            (select(&BinaryOp::ALL[..]), pair).prop_map(|(op, (left, right))| ExprKind::Binary { op, left, right }),
            (boxed(), name()).prop_map(|(input, name)| pipe(input, of_kind(ExprKind::Name(name)))),
            (boxed(), call(inner.clone())).prop_map(|(input, call)| pipe(input, of_kind(call))),
            call(inner.clone()),
            (boxed(), vec(element(inner.clone()), 1..3)).prop_map(|(base, indices)| ExprKind::Index { base, indices }),
            (boxed(), spanned_name()).prop_map(|(base, name)| ExprKind::Member { base, name }),
            vec(element(inner.clone()), 0..4).prop_map(ExprKind::List),
            tuple(inner.clone()),
            (inner.clone(), body(inner.clone()), body(inner.clone()))
                .prop_map(|(condition, then, otherwise)| ExprKind::If(Box::new(If { condition, then, otherwise }))),
        ]
        .prop_map(of_kind)
    })
}

fn pipe(input: Box<Expr>, call: Expr) -> ExprKind {
    ExprKind::Pipe { input, call: Box::new(call) }
}

fn call(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = ExprKind> {
    (inner.clone(), vec(arg(inner), 0..4)).prop_map(|(callee, args)| ExprKind::Call { callee: Box::new(callee), args })
}

/// Parentheses around one unnamed value only group.
fn tuple(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = ExprKind> {
    let groups = |args: &[Arg]| matches!(args, [Arg { name: None, share: None, .. }]);
    vec(arg(inner), 1..4).prop_filter("a group", move |args| !groups(args)).prop_map(ExprKind::Tuple)
}

fn arg(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Arg> {
    (option::of(spanned_name()), inner.clone(), option::weighted(0.2, inner), trivia())
        .prop_map(|(name, value, share, trivia)| Arg { name, value, share, span: span(), trivia })
}

fn element(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    let side = option::of(inner.clone().prop_map(Box::new));
    let range = (side.clone(), side).prop_map(|(start, end)| of_kind(ExprKind::Range { start, end }));
    prop_oneof![3 => inner, 1 => range]
}

fn body(inner: BoxedStrategy<Expr>) -> BoxedStrategy<Body> {
    let binding = (spanned_name(), inner.clone()).prop_map(|(name, value)| Definition { name, value });
    let bindings = block(binding.prop_map(LineKind::Binding), 0..3, true);
    let result = (inner, trivia()).prop_map(|(result, trivia)| Statement {
        kind: LineKind::Result(result),
        span: span(),
        trivia,
    });
    (bindings, option::of(result))
        .prop_map(|(mut body, result)| {
            body.statements.extend(result);
            body
        })
        .boxed()
}

fn definition() -> impl Strategy<Value = Definition> {
    (spanned_name(), expr()).prop_map(|(name, value)| Definition { name, value })
}

fn params() -> impl Strategy<Value = Vec<Param>> {
    let param = (spanned_name(), option::of(expr()), option::of(expr()), trivia())
        .prop_map(|(name, annotation, default, trivia)| Param { name, annotation, default, span: span(), trivia });
    vec(param, 0..4)
}

fn layer() -> impl Strategy<Value = Layer> {
    (spanned_name(), params(), body(expr().boxed())).prop_map(|(name, params, body)| Layer { name, params, body })
}

fn member() -> impl Strategy<Value = MemberKind> {
    prop_oneof![
        definition().prop_map(MemberKind::Let),
        definition().prop_map(MemberKind::Tokens),
        layer().prop_map(MemberKind::Layer),
        (params(), body(expr().boxed())).prop_map(|(params, body)| MemberKind::Forward(Forward {
            keyword: span(),
            params,
            body
        })),
        definition().prop_map(MemberKind::Binding),
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let kind = prop_oneof![
        4 => name().prop_map(PartKind::Name),
        1 => string().prop_map(PartKind::Text),
        1 => Just(PartKind::Any),
    ];
    let part = (kind, option::weighted(0.3, element(expr().boxed()))).prop_map(|(kind, index)| Part {
        kind,
        index,
        span: span(),
    });
    vec(part, 1..4).prop_map(|parts| Pattern { parts, span: span() })
}

fn entry() -> impl Strategy<Value = EntryKind> {
    let assign = select(&[Assign::Set, Assign::Add, Assign::Multiply][..]);
    let field = (pattern(), assign, expr(), option::weighted(0.2, spanned_name()))
        .prop_map(|(target, assign, value, by)| EntryKind::Field(Field { target, assign, value, by }));
    let leaf = prop_oneof![
        4 => field,
        2 => spanned_name().prop_map(EntryKind::Flag),
        1 => expr().prop_map(EntryKind::Expect),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let entries = block(inner, 0..4, true);
        prop_oneof![
            (pattern(), entries.clone()).prop_map(|(pattern, block)| EntryKind::Rule(Rule { pattern, block })),
            (spanned_text(), entries).prop_map(|(name, block)| EntryKind::Stage(Stage { name, block })),
        ]
    })
}

fn item() -> impl Strategy<Value = ItemKind> {
    let section = (select(&SectionKind::ALL[..]), block(entry(), 0..5, true))
        .prop_map(|(kind, block)| ItemKind::Section(Section { kind, keyword: span(), block }));
    prop_oneof![
        (spanned_text(), option::of(block(entry(), 0..3, true)))
            .prop_map(|(path, overrides)| ItemKind::Use(Use { path, overrides })),
        definition().prop_map(ItemKind::Let),
        definition().prop_map(ItemKind::Tokens),
        layer().prop_map(ItemKind::Layer),
        (spanned_name(), block(member(), 0..6, true))
            .prop_map(|(name, members)| ItemKind::Model(Model { name, members })),
        section,
    ]
}
