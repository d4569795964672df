//! Evaluates constant expressions.

use super::{Meaning, Names, ScopeId, State};
use crate::check::settings::QUOTED;
use crate::check::value::{Argument, Outcome, Value, ValueKind, calculate, percentage};
use tfc_grammar::ast::{self, BinaryOp, Expr, ExprKind};
use tfc_grammar::{Code, Diagnostic, Span, did_you_mean};

/// How deep expressions and the constants in them nest.
const DEEPEST: usize = 400;

/// Where an expression stands.
#[derive(Clone, Copy)]
pub(in crate::check) struct Context<'c> {
    pub scope: ScopeId,
    /// How many tokens a group has (None: reported already). Without it, tokens are no constants here.
    pub tokens: Option<&'c dyn Fn(usize) -> Option<i64>>,
}

impl Names<'_> {
    /// Evaluates every constant, so that a wrong one is reported whether or not it is used.
    pub fn evaluate_all(&self) {
        (0..self.constants.len()).for_each(|index| drop(self.constant(index)));
    }

    /// The value of a `let`: a number, a word or a flag.
    pub fn constant(&self, index: usize) -> Value {
        let definition = &self.constants[index];
        let (expr, scope) = definition.current();
        let state = std::mem::replace(&mut self.states.borrow_mut()[index], State::Running);
        let value = match state {
            State::Done(value) => value,
            State::Running => {
                let message = format!("`{}` depends on itself", definition.name.text);
                self.report.error(Code::CyclicDefinition, definition.name.span, message, "its value leads back to it");
                return Value::error(definition.name.span);
            }
            State::Waiting => self.first_evaluation(index, expr, scope),
        };
        self.states.borrow_mut()[index] = State::Done(value.clone());
        value
    }

    fn first_evaluation(&self, index: usize, expr: &Expr, scope: ScopeId) -> Value {
        let name = &self.constants[index].name;
        let value = self.evaluate(expr, Context { scope, tokens: None });
        match value.kind {
            ValueKind::Number { .. } | ValueKind::Word(_) | ValueKind::Flag(_) | ValueKind::Error => value,
            ValueKind::Text(_) | ValueKind::Call { .. } | ValueKind::Tuple(_) | ValueKind::Comparison { .. } => {
                let message = format!("`{}` cannot be {}", name.text, value.describe());
                self.report.error(Code::WrongType, expr.span, message, "a `let` is a number, a name or a flag");
                Value::error(expr.span)
            }
        }
    }

    /// What a constant expression says. Names that nothing defines stay words; whatever is wrong is reported and becomes an error value.
    pub fn evaluate(&self, expr: &Expr, context: Context) -> Value {
        if self.depth.get() == DEEPEST {
            let message = "constants and their expressions depend on each other in too long a chain";
            self.report.error(Code::NestingTooDeep, expr.span, message, "its last link");
            return Value::error(expr.span);
        }
        self.depth.set(self.depth.get() + 1);
        let value = self.expression(expr, context);
        self.depth.set(self.depth.get() - 1);
        value
    }

    fn expression(&self, expr: &Expr, context: Context) -> Value {
        let span = expr.span;
        let kind = match &expr.kind {
            ExprKind::Number(number) => ValueKind::Number { value: number.value, percent: number.percent },
            ExprKind::Text(text) => ValueKind::Text(text.clone()),
            ExprKind::Flag(flag) => ValueKind::Flag(*flag),
            ExprKind::Name(name) => return self.named(name, span, context),
            ExprKind::Negate(inner) => {
                let inner = self.evaluate(inner, context);
                if let ValueKind::Number { value, percent } = inner.kind {
                    ValueKind::Number { value: -value, percent }
                } else {
                    self.not_a_number(&inner, context.scope);
                    ValueKind::Error
                }
            }
            ExprKind::Binary { op, left, right } => return self.binary(*op, left, right, span, context),
            ExprKind::Call { callee, args } => return self.call(callee, args, span, context),
            ExprKind::Tuple(args) => ValueKind::Tuple(self.arguments(args, context)),
            ExprKind::If(branches) => return self.choose(branches, context),
            ExprKind::Pipe { .. }
            | ExprKind::Index { .. }
            | ExprKind::Member { .. }
            | ExprKind::List(_)
            | ExprKind::Range { .. } => {
                self.report.error(Code::NotConstant, span, "not a constant", "known only when the model runs");
                ValueKind::Error
            }
        };
        Value::new(kind, span)
    }

    fn named(&self, name: &str, span: Span, context: Context) -> Value {
        match self.find(context.scope, name) {
            Some(Meaning::Constant(index)) => self.constant(index).at(span),
            Some(Meaning::Tokens(group)) => match context.tokens {
                Some(tokens) => tokens(group).map_or(Value::error(span), |n| Value::number(n as f64, span)),
                None => {
                    let diagnostic = Diagnostic::new(Code::NotConstant, format!("`{name}` is no constant: it grows"))
                        .at(span, "tokens")
                        .see(self.place(Meaning::Tokens(group)), "declared here")
                        .help("a size that follows tokens is declared with `tokens`, not `let`");
                    self.report.push(diagnostic);
                    Value::error(span)
                }
            },
            Some(Meaning::Layer(_)) | None => Value::new(ValueKind::Word(name.to_string()), span),
        }
    }

    fn binary(&self, op: BinaryOp, left: &Expr, right: &Expr, span: Span, context: Context) -> Value {
        let (left, right) = (self.evaluate(left, context), self.evaluate(right, context));
        let is_equality = matches!(op, BinaryOp::Equal | BinaryOp::NotEqual);
        let kind = match (&left.kind, &right.kind) {
            (ValueKind::Error, _) | (_, ValueKind::Error) => ValueKind::Error,
            (ValueKind::Number { value: a, percent: p }, ValueKind::Number { value: b, percent: q }) => {
                match calculate(op, *a, *b) {
                    Ok(Outcome::Number(value)) => ValueKind::Number { value, percent: percentage(op, *p, *q) },
                    Ok(Outcome::Flag(flag)) => ValueKind::Flag(flag),
                    Err((code, message)) => {
                        self.report.error(code, span, message, "");
                        ValueKind::Error
                    }
                }
            }
            (ValueKind::Word(a), ValueKind::Word(b)) if is_equality => {
                ValueKind::Flag((a == b) == (op == BinaryOp::Equal))
            }
            (ValueKind::Flag(a), ValueKind::Flag(b)) if is_equality => {
                ValueKind::Flag((a == b) == (op == BinaryOp::Equal))
            }
            (ValueKind::Word(_), ValueKind::Number { .. }) | (ValueKind::Number { .. }, ValueKind::Word(_))
                if matches!(calculate(op, 1.0, 1.0), Ok(Outcome::Flag(_))) =>
            {
                ValueKind::Comparison { op, left: Box::new(left), right: Box::new(right) }
            }
            _ => {
                self.not_a_number(&left, context.scope);
                self.not_a_number(&right, context.scope);
                ValueKind::Error
            }
        };
        Value::new(kind, span)
    }

    /// Reports a value that is no number where one is needed: a name that nothing defines, or another kind of value.
    fn not_a_number(&self, value: &Value, scope: ScopeId) {
        match &value.kind {
            ValueKind::Number { .. } | ValueKind::Error => {}
            ValueKind::Word(word) if self.find(scope, word).is_none() => self.unknown_name(word, value.span, scope),
            ValueKind::Word(_)
            | ValueKind::Text(_)
            | ValueKind::Flag(_)
            | ValueKind::Call { .. }
            | ValueKind::Tuple(_)
            | ValueKind::Comparison { .. } => {
                let label = format!("this is {}", value.describe());
                self.report.error(Code::WrongType, value.span, "a number is needed here", label);
            }
        }
    }

    pub fn unknown_name(&self, name: &str, span: Span, scope: ScopeId) {
        let diagnostic =
            Diagnostic::new(Code::UnknownName, format!("`{name}` is not known here")).at(span, "not defined");
        let is_setting = self.experiment.settings.iter().any(|setting| setting.value.span.file == span.file);
        self.report.push(match did_you_mean(name, self.visible(scope)) {
            Some(near) => diagnostic.suggest("there is a similar name", span, near),
            None if is_setting => diagnostic.help(QUOTED),
            None => diagnostic,
        });
    }

    fn call(&self, callee: &Expr, args: &[ast::Arg], span: Span, context: Context) -> Value {
        let Some(name) = callee.as_name() else {
            self.report.error(Code::NotCallable, callee.span, "only layers and operations can be called", "not a name");
            return Value::error(span);
        };
        if let Some(meaning @ (Meaning::Constant(_) | Meaning::Tokens(_))) = self.find(context.scope, name) {
            let diagnostic = Diagnostic::new(Code::NotCallable, format!("`{name}` cannot be called"))
                .at(callee.span, "only layers and operations can")
                .see(self.place(meaning), "defined here");
            self.report.push(diagnostic);
            return Value::error(span);
        }
        let args = self.arguments(args, context);
        let kind = match args.as_slice() {
            [
                Argument {
                    name: None, value: Value { kind: ValueKind::Number { value, .. }, .. }, share: None, ..
                },
            ] if name == "sqrt" && *value >= 0.0 => ValueKind::Number { value: value.sqrt(), percent: false },
            _ => ValueKind::Call { name: ast::Name { text: name.to_string(), span: callee.span }, args },
        };
        Value::new(kind, span)
    }

    fn arguments(&self, args: &[ast::Arg], context: Context) -> Vec<Argument> {
        let argument = |arg: &ast::Arg| Argument {
            name: arg.name.clone(),
            value: self.evaluate(&arg.value, context),
            share: arg.share.as_ref().map(|share| self.evaluate(share, context)),
            span: arg.span,
        };
        args.iter().map(argument).collect()
    }

    /// An `if` of constants: its branches hold one expression each.
    fn choose(&self, branches: &ast::If, context: Context) -> Value {
        let condition = self.evaluate(&branches.condition, context);
        let body = match condition.kind {
            ValueKind::Flag(true) => &branches.then,
            ValueKind::Flag(false) => &branches.otherwise,
            ValueKind::Error => return Value::error(condition.span),
            ValueKind::Number { .. }
            | ValueKind::Word(_)
            | ValueKind::Text(_)
            | ValueKind::Call { .. }
            | ValueKind::Tuple(_)
            | ValueKind::Comparison { .. } => {
                let label = format!("this is {}", condition.describe());
                self.report.error(Code::WrongType, condition.span, "a condition is a flag", label);
                return Value::error(condition.span);
            }
        };
        match (body.statements.as_slice(), body.result()) {
            ([_], Some(result)) => self.evaluate(result, context),
            _ => {
                let message = "a branch of a constant is one expression";
                self.report.error(Code::WrongType, body.span, message, "more or less than one");
                Value::error(body.span)
            }
        }
    }
}
