//! Layouts of expressions: parentheses where precedence asks for them, breaks where a line has no room.

use super::layout::{Doc, concat, group, indent, text};
use super::statements::{body, comment};
use crate::ast::{Arg, Expr, ExprKind, PIPE_PRECEDENCE, Trivia};

/// Of `-x`, above all operators between two operands.
const NEGATE: u8 = 10;
/// Of calls, indices and names, and of what needs no parentheses anywhere.
const POSTFIX: u8 = 11;

pub fn expr(expr: &Expr) -> Doc {
    match &expr.kind {
        ExprKind::Number(number) => text(number.spelling.as_str()),
        ExprKind::Text(value) => text(quoted(value)),
        ExprKind::Flag(value) => text(if *value { "true" } else { "false" }),
        ExprKind::Name(name) => text(name.as_str()),
        ExprKind::Negate(inner) => concat([text("-"), operand(inner, POSTFIX)]),
        ExprKind::Binary { .. } => sum(expr),
        ExprKind::Pipe { .. } => pipeline(expr),
        ExprKind::Call { callee, args: list } => concat([operand(callee, POSTFIX), args(list)]),
        ExprKind::Index { base, indices } => concat([operand(base, POSTFIX), elements(indices)]),
        ExprKind::Member { base, name } => concat([operand(base, POSTFIX), text(format!(".{}", name.text))]),
        ExprKind::List(list) => elements(list),
        ExprKind::Tuple(list) => args(list),
        ExprKind::Range { start, end } => {
            let side = |side: &Option<Box<Expr>>| side.as_ref().map_or(text(""), |side| operand(side, 1));
            concat([side(start), text(".."), side(end)])
        }
        ExprKind::If(choice) => concat([
            text("if "),
            self::expr(&choice.condition),
            text(" "),
            body(&choice.then),
            text(" else "),
            body(&choice.otherwise),
        ]),
    }
}

/// In parentheses if it binds less tightly than `least`.
fn operand(inner: &Expr, least: u8) -> Doc {
    if precedence(inner) < least { delimited("(", vec![(expr(inner), None)], ")") } else { expr(inner) }
}

fn precedence(expr: &Expr) -> u8 {
    match &expr.kind {
        ExprKind::If(_) | ExprKind::Range { .. } => 0,
        ExprKind::Binary { op, .. } => op.precedence(),
        ExprKind::Pipe { .. } => PIPE_PRECEDENCE,
        ExprKind::Negate(_) => NEGATE,
        ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Flag(_) | ExprKind::Name(_) => POSTFIX,
        ExprKind::Call { .. } | ExprKind::Index { .. } | ExprKind::Member { .. } => POSTFIX,
        ExprKind::List(_) | ExprKind::Tuple(_) => POSTFIX,
    }
}

/// Operators of one precedence, in a row; it breaks behind each of them.
fn sum(whole: &Expr) -> Doc {
    let level = precedence(whole);
    let mut first = whole;
    let mut rest = Vec::new();
    while let ExprKind::Binary { op, left, right } = &first.kind
        && op.precedence() == level
    {
        rest.push(concat([text(format!(" {}", op.symbol())), Doc::Break(" "), operand(right, level + 1)]));
        first = left;
    }
    rest.reverse();
    group(concat([operand(first, level), indent(concat(rest))]))
}

/// It breaks before each `|>`.
fn pipeline(whole: &Expr) -> Doc {
    let mut first = whole;
    let mut rest = Vec::new();
    while let ExprKind::Pipe { input, call } = &first.kind {
        rest.push(concat([Doc::Break(" "), text("|> "), operand(call, POSTFIX)]));
        first = input;
    }
    rest.reverse();
    group(concat([operand(first, PIPE_PRECEDENCE), indent(concat(rest))]))
}

fn args(args: &[Arg]) -> Doc {
    delimited("(", args.iter().map(|item| (arg(item), Some(&item.trivia))).collect(), ")")
}

fn arg(arg: &Arg) -> Doc {
    let mut docs = Vec::new();
    docs.extend(arg.name.as_ref().map(|name| text(format!("{} = ", name.text))));
    docs.push(expr(&arg.value));
    if let Some(share) = &arg.share {
        docs.extend([text(" : "), expr(share)]);
    }
    concat(docs)
}

fn elements(elements: &[Expr]) -> Doc {
    delimited("[", elements.iter().map(|element| (expr(element), None)).collect(), "]")
}

/// Items between parentheses or brackets, each with its comments: on one line, or one a line.
pub fn delimited(open: &str, items: Vec<(Doc, Option<&Trivia>)>, close: &str) -> Doc {
    if items.is_empty() {
        return text(format!("{open}{close}"));
    }
    let last = items.len() - 1;
    let mut inner = Vec::new();
    for (position, (item, trivia)) in items.into_iter().enumerate() {
        inner.push(Doc::Break(if position == 0 { "" } else { " " }));
        for leading in trivia.iter().flat_map(|trivia| &trivia.leading) {
            inner.extend([comment(leading), Doc::Newline]);
        }
        inner.push(item);
        inner.extend((position < last).then(|| text(",")));
        inner.extend(trivia.and_then(|trivia| trivia.trailing.as_ref()).map(comment));
    }
    group(concat([text(open), indent(concat(inner)), Doc::Break(""), text(close)]))
}

/// A string in its quotes.
pub fn quoted(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
