//! Which names an expression or a body mentions, whatever they mean there.

use tfc_grammar::ast::{Arg, Block, Body, EntryKind, Expr, ExprKind, LineKind, Param};

/// Calls `found` with each name, in the order of the text.
pub(super) fn in_expr<'a>(expr: &'a Expr, found: &mut dyn FnMut(&'a str)) {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Flag(_) => {}
        ExprKind::Name(name) => found(name),
        ExprKind::Negate(inner) | ExprKind::Member { base: inner, .. } => in_expr(inner, found),
        ExprKind::Binary { left, right, .. } | ExprKind::Pipe { input: left, call: right } => {
            in_expr(left, found);
            in_expr(right, found);
        }
        ExprKind::Call { callee, args } => {
            in_expr(callee, found);
            in_args(args, found);
        }
        ExprKind::Tuple(args) => in_args(args, found),
        ExprKind::Index { base, indices } => {
            in_expr(base, found);
            indices.iter().for_each(|index| in_expr(index, found));
        }
        ExprKind::List(elements) => elements.iter().for_each(|element| in_expr(element, found)),
        ExprKind::Range { start, end } => start.iter().chain(end).for_each(|side| in_expr(side, found)),
        ExprKind::If(branches) => {
            in_expr(&branches.condition, found);
            in_body(&branches.then, found);
            in_body(&branches.otherwise, found);
        }
    }
}

fn in_args<'a>(args: &'a [Arg], found: &mut dyn FnMut(&'a str)) {
    for arg in args {
        in_expr(&arg.value, found);
        arg.share.iter().for_each(|share| in_expr(share, found));
    }
}

pub(super) fn in_body<'a>(body: &'a Body, found: &mut dyn FnMut(&'a str)) {
    for line in &body.statements {
        match &line.kind {
            LineKind::Binding(binding) => in_expr(&binding.value, found),
            LineKind::Result(result) => in_expr(result, found),
        }
    }
}

pub(super) fn in_params<'a>(params: &'a [Param], found: &mut dyn FnMut(&'a str)) {
    for param in params {
        param.annotation.iter().chain(&param.default).for_each(|expr| in_expr(expr, found));
    }
}

/// In the values of a section, of its stages and rules; patterns mention nothing.
pub(super) fn in_entries<'a>(block: &'a Block<EntryKind>, found: &mut dyn FnMut(&'a str)) {
    for entry in &block.statements {
        match &entry.kind {
            EntryKind::Field(field) => in_expr(&field.value, found),
            EntryKind::Flag(_) => {}
            EntryKind::Rule(rule) => in_entries(&rule.block, found),
            EntryKind::Stage(stage) => in_entries(&stage.block, found),
            EntryKind::Expect(expr) => in_expr(expr, found),
        }
    }
}
