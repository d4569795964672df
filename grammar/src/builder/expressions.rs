//! Expressions: precedence, calls, and a bound on how deep their trees grow.

use pest::iterators::Pair;

use super::{Builder, Built, parts, take, take_if, words};
use crate::ast::{Arg, BinaryOp, Expr, ExprKind, If, PIPE_PRECEDENCE};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::parse::Rule;
use crate::span::Span;

/// How deep an expression's tree may grow, so that whoever walks it by recursion can.
const DEEPEST: usize = 256;

/// What stands between two operands.
#[derive(Clone, Copy)]
enum Infix {
    Binary(BinaryOp),
    Pipe,
}

impl Infix {
    fn precedence(self) -> u8 {
        match self {
            Infix::Binary(op) => op.precedence(),
            Infix::Pipe => PIPE_PRECEDENCE,
        }
    }
}

impl Builder<'_> {
    /// Operands and the operators between them; all are left-associative.
    pub fn expr(&mut self, pair: Pair<Rule>) -> Built<Expr> {
        let span = self.span(&pair);
        let mut parts = parts(pair);
        let links = parts.clone().count() / 2;
        self.deeper(links + 1, span, |builder| {
            let mut done = vec![builder.operand(take(&mut parts))?];
            let mut waiting: Vec<Infix> = Vec::new();
            while let Some(sign) = parts.next() {
                let infix = infix(&sign);
                while waiting.last().is_some_and(|last| last.precedence() >= infix.precedence()) {
                    builder.join(&mut done, &mut waiting)?;
                }
                waiting.push(infix);
                done.push(builder.operand(take(&mut parts))?);
            }
            while !waiting.is_empty() {
                builder.join(&mut done, &mut waiting)?;
            }
            Ok(done.swap_remove(0))
        })
    }

    /// Joins the last two operands by the last operator that waits for them.
    fn join(&self, done: &mut Vec<Expr>, waiting: &mut Vec<Infix>) -> Built<()> {
        let (Some(infix), Some(right), Some(left)) = (waiting.pop(), done.pop(), done.pop()) else {
            unreachable!("an operator stands between two operands");
        };
        let span = left.span.to(right.span);
        let kind = match infix {
            Infix::Binary(op) => ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) },
            Infix::Pipe if matches!(right.kind, ExprKind::Name(_) | ExprKind::Call { .. }) => {
                ExprKind::Pipe { input: Box::new(left), call: Box::new(right) }
            }
            Infix::Pipe => return Err(self.pipe_into_value(&left, &right)),
        };
        done.push(Expr { kind, span });
        Ok(())
    }

    fn pipe_into_value(&self, left: &Expr, right: &Expr) -> Diagnostic {
        let error = Diagnostic::new(Code::PipeIntoValue, "`|>` into something that is not a layer")
            .at(right.span, "expected a layer or a call");
        let called = leftmost(right);
        if !matches!(called.kind, ExprKind::Name(_) | ExprKind::Call { .. }) {
            return error;
        }
        let piped = left.span.to(called.span);
        error.note("arithmetic binds tighter than `|>`").suggest(
            "to compute with the result",
            piped,
            format!("({})", &self.text[piped.start..piped.end]),
        )
    }

    /// A primary expression with the sign before it and the calls, indices and names behind it.
    fn operand(&mut self, pair: Pair<Rule>) -> Built<Expr> {
        let span = self.span(&pair);
        let mut parts = parts(pair);
        let links = parts.clone().count();
        self.deeper(links, span, |builder| {
            let minus = take_if(&mut parts, Rule::minus).is_some();
            let mut expr = builder.primary(take(&mut parts))?;
            for part in parts {
                let to = expr.span.to(builder.span(&part));
                let base = Box::new(expr);
                let kind = match part.as_rule() {
                    Rule::call => ExprKind::Call { callee: base, args: builder.args(part)? },
                    Rule::index => ExprKind::Index { base, indices: builder.elements(part)? },
                    _ => ExprKind::Member { base, name: builder.name(take(&mut super::parts(part))) },
                };
                expr = Expr { kind, span: to };
            }
            if minus {
                expr = Expr { kind: ExprKind::Negate(Box::new(expr)), span };
            }
            Ok(expr)
        })
    }

    fn primary(&mut self, pair: Pair<Rule>) -> Built<Expr> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::number => return self.number(pair),
            Rule::text => ExprKind::Text(self.string(pair)?.value),
            Rule::flag => ExprKind::Flag(pair.as_str() == "true"),
            Rule::name => ExprKind::Name(pair.as_str().to_owned()),
            Rule::list => ExprKind::List(self.elements(pair)?),
            Rule::tuple => {
                let mut args = self.args(pair)?;
                match args.pop() {
                    // Parentheses around one value only group; the span keeps them.
                    Some(Arg { name: None, share: None, value, trivia, .. }) if args.is_empty() => {
                        self.comments.hoisted.extend(trivia.leading.into_iter().chain(trivia.trailing));
                        return Ok(Expr { kind: value.kind, span });
                    }
                    last => args.extend(last),
                }
                ExprKind::Tuple(args)
            }
            Rule::if_ => {
                let mut parts = parts(pair);
                let condition = self.expr(take(&mut parts))?;
                let then = self.body(take(&mut parts));
                let otherwise = self.body(take(&mut parts));
                ExprKind::If(Box::new(If { condition, then, otherwise }))
            }
            rule => unreachable!("{rule:?} is no expression"),
        };
        Ok(Expr { kind, span })
    }

    pub(super) fn number(&mut self, pair: Pair<Rule>) -> Built<Expr> {
        let span = self.span(&pair);
        Ok(Expr { kind: ExprKind::Number(words::number(pair.as_str(), span)?), span })
    }

    fn args(&mut self, pair: Pair<Rule>) -> Built<Vec<Arg>> {
        self.comments.hoist_before(self.span(&pair).start);
        parts(pair).map(|arg| self.arg(arg)).collect()
    }

    fn arg(&mut self, pair: Pair<Rule>) -> Built<Arg> {
        let span = self.span(&pair);
        let ((name, value, share), trivia) = self.with_trivia(span, |builder| {
            let mut parts = parts(pair);
            let name = take_if(&mut parts, Rule::name).map(|name| builder.name(name));
            let value = builder.expr(take(&mut parts))?;
            let share = parts.next().map(|share| builder.expr(share)).transpose()?;
            Ok((name, value, share))
        })?;
        Ok(Arg { name, value, share, span, trivia })
    }

    fn elements(&mut self, pair: Pair<Rule>) -> Built<Vec<Expr>> {
        parts(pair).map(|element| self.element(element)).collect()
    }

    /// An expression or a range.
    pub(super) fn element(&mut self, pair: Pair<Rule>) -> Built<Expr> {
        let span = self.span(&pair);
        let (mut start, mut end, mut dots) = (None, None, false);
        for part in parts(pair) {
            match part.as_rule() {
                Rule::dots => dots = true,
                _ if dots => end = Some(Box::new(self.expr(part)?)),
                _ => start = Some(Box::new(self.expr(part)?)),
            }
        }
        match start {
            Some(start) if !dots => Ok(*start),
            start => Ok(Expr { kind: ExprKind::Range { start, end }, span }),
        }
    }

    /// Builds something whose tree is up to `levels` deep before its leaves begin.
    fn deeper(&mut self, levels: usize, span: Span, build: impl FnOnce(&mut Self) -> Built<Expr>) -> Built<Expr> {
        self.depth += levels;
        if self.depth > DEEPEST {
            return Err(Diagnostic::new(Code::NestingTooDeep, "expression too deep")
                .at(span, format!("more than {DEEPEST} operators and calls upon each other"))
                .help("bind a part of it to a name"));
        }
        let built = build(self);
        self.depth -= levels;
        built
    }
}

/// What an expression that begins with another begins with.
fn leftmost(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Binary { left, .. } => leftmost(left),
        _ => expr,
    }
}

fn infix(sign: &Pair<Rule>) -> Infix {
    let op = BinaryOp::ALL.into_iter().find(|op| op.symbol() == sign.as_str());
    op.map_or(Infix::Pipe, Infix::Binary)
}
