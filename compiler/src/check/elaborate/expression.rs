//! Evaluates expressions and bodies.

use super::frame::{Frame, Local};
use super::instance::InstanceId;
use super::value::{Callable, Closure, Field, Quantity, Value, Word, placeholder};
use super::{DEEPEST, Elaborator, MOST_STEPS};
use crate::check::names::Meaning;
use crate::check::value::ValueKind;
use crate::model::Amount;
use crate::scalar::Unary;
use crate::size::Size;
use std::rc::Rc;
use tfc_grammar::ast::{Arg, Body, Expr, ExprKind, If, LineKind, Name};
use tfc_grammar::{Code, Diagnostic, Span, did_you_mean};

/// The name of the binding that the first parameterised call of a chain of pipes may take as its part of the path.
#[derive(Debug, Default)]
pub(super) struct Slot<'a> {
    pub binding: Option<&'a str>,
    /// The call that took it.
    pub owner: Option<InstanceId>,
}

impl<'a> Elaborator<'a> {
    /// The value of an expression that is no link of a bound chain.
    pub fn value(&mut self, expr: &'a Expr, frame: &Frame<'a>) -> Value<'a> {
        self.evaluate(expr, frame, &mut Slot::default())
    }

    pub fn evaluate(&mut self, expr: &'a Expr, frame: &Frame<'a>, slot: &mut Slot<'a>) -> Value<'a> {
        if self.stops(expr.span) {
            return Value::Error;
        }
        if self.depth == DEEPEST {
            let message = "calls and expressions are nested too deep";
            return self.stop(Code::NestingTooDeep, expr.span, message, "this is the innermost");
        }
        self.depth += 1;
        let value = self.expression(expr, frame, slot);
        self.depth -= 1;
        if self.stopped { Value::Error } else { value }
    }

    /// Counts a step; whether a limit has been reached, by this step or before.
    pub fn stops(&mut self, span: Span) -> bool {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            let message = format!("the model is too large: unrolled, it is more than {MOST_STEPS} expressions");
            self.stop(Code::SizeOverflow, span, message, "the last of them");
        }
        self.stopped
    }

    fn expression(&mut self, expr: &'a Expr, frame: &Frame<'a>, slot: &mut Slot<'a>) -> Value<'a> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Number(number) => Value::number(number.value, None),
            ExprKind::Flag(flag) => Value::Flag(*flag),
            ExprKind::Name(name) => self.name(name, span, frame),
            ExprKind::Negate(inner) => self.negate(inner, span, frame),
            ExprKind::Binary { .. } => self.chain(expr, frame),
            ExprKind::Pipe { .. } => self.pipeline(expr, frame, slot),
            ExprKind::Call { callee, args } => self.call_expression(callee, args, span, frame, slot),
            ExprKind::Index { base, indices } if self.is_parameter(base, frame) => {
                self.parameter(indices, &[], span, frame, slot)
            }
            ExprKind::Index { base, indices } => self.slice(base, indices, span, frame),
            ExprKind::Member { base, name } => self.member(base, name, frame),
            ExprKind::Tuple(args) => Value::Tuple(args.iter().map(|arg| self.field(arg, frame)).collect()),
            ExprKind::If(branches) => self.choose(branches, frame, slot),
            ExprKind::Text(_) => {
                self.fail(Code::WrongType, span, "a text has no meaning in a layer", "unexpected text")
            }
            ExprKind::List(_) => self.fail(Code::WrongType, span, "a shape has no meaning here", "unexpected shape"),
            ExprKind::Range { .. } => {
                self.fail(Code::WrongType, span, "a range has no meaning here", "unexpected range")
            }
        }
    }

    fn field(&mut self, arg: &'a Arg, frame: &Frame<'a>) -> Field<'a> {
        let name = arg.name.as_ref().map(|name| name.text.as_str());
        Field { name, value: self.value(&arg.value, frame), span: arg.span }
    }

    /// What a name stands for, innermost first: a local, something of the files, a built-in; else it is a word.
    pub fn name(&self, name: &'a str, span: Span, frame: &Frame<'a>) -> Value<'a> {
        if let Some(local) = frame.find(name) {
            return local.value.clone();
        }
        match self.names.find(frame.scope, name) {
            Some(meaning @ Meaning::Constant(index)) => {
                let origin = Some(self.names.place(meaning));
                match self.names.constant(index).kind {
                    ValueKind::Number { value, .. } => Value::number(value, origin),
                    ValueKind::Flag(flag) => Value::Flag(flag),
                    ValueKind::Word(text) => self.constant_word(index, text, span, frame),
                    ValueKind::Text(_)
                    | ValueKind::Call { .. }
                    | ValueKind::Tuple(_)
                    | ValueKind::Comparison { .. }
                    | ValueKind::Error => Value::Error,
                }
            }
            Some(meaning @ Meaning::Tokens(group)) => {
                let amount = Amount::Size(Size::symbol(placeholder(group)));
                Value::Amount(Quantity { amount, origin: Some(self.names.place(meaning)) })
            }
            Some(Meaning::Layer(index)) => Value::Layer(Rc::new(Closure::bare(Callable::Layer(index)))),
            None if name == "repeats" => Value::number(self.repeats, None),
            None => match super::builtin::Builtin::named(name) {
                Some(builtin) => Value::Layer(Rc::new(Closure::bare(Callable::Builtin(builtin)))),
                None => Value::Word(Word { text: name.to_string(), span, frame: frame.clone() }),
            },
        }
    }

    /// `let norm = layernorm` names a layer; `let mask = causal` a word.
    fn constant_word(&self, index: usize, text: String, span: Span, frame: &Frame<'a>) -> Value<'a> {
        let (_, scope) = self.names.constants[index].current();
        match (self.names.find(scope, &text), super::builtin::Builtin::named(&text)) {
            (Some(Meaning::Layer(layer)), _) => Value::Layer(Rc::new(Closure::bare(Callable::Layer(layer)))),
            (None, Some(builtin)) => Value::Layer(Rc::new(Closure::bare(Callable::Builtin(builtin)))),
            (Some(Meaning::Constant(_) | Meaning::Tokens(_)) | None, _) => {
                Value::Word(Word { text, span, frame: frame.clone() })
            }
        }
    }

    /// `binding.weight`: a parameter of the call that a binding is named after; `init.keys`: a field of a tuple.
    fn member(&mut self, base: &'a Expr, name: &'a Name, frame: &Frame<'a>) -> Value<'a> {
        let value = self.value(base, frame);
        match &value {
            Value::Tuple(fields) => match fields.iter().find(|field| field.name == Some(&name.text)) {
                Some(field) => field.value.clone(),
                None => self.no_member(name, fields.iter().filter_map(|field| field.name)),
            },
            Value::Tensor(tensor) => {
                let found = tensor.owner.and_then(|owner| self.parameter_of.get(&(owner, name.text.clone())));
                match found {
                    Some(index) => Value::Tensor(self.parameters[*index].value.clone()),
                    None => {
                        let own = self.parameters.iter().filter(|p| Some(p.instance) == tensor.owner);
                        self.no_member(name, own.map(|p| p.name.as_str()))
                    }
                }
            }
            Value::Error => Value::Error,
            Value::Word(_)
            | Value::Amount(_)
            | Value::Flag(_)
            | Value::Layer(_)
            | Value::Distribution(_)
            | Value::Window(_) => {
                self.wrong_kind(&value, base.span, "the binding of a call that holds parameters");
                Value::Error
            }
        }
    }

    fn no_member<'n>(&self, name: &Name, known: impl Iterator<Item = &'n str>) -> Value<'a> {
        let known: Vec<&str> = known.collect();
        let place = self.place(name.span);
        let mut diagnostic = Diagnostic::new(Code::UnknownName, format!("it has no `{}`", name.text)).at(place, "");
        if let Some(near) = did_you_mean(&name.text, known.iter().copied()) {
            diagnostic = diagnostic.suggest("there is a similar name", place, near);
        } else if !known.is_empty() {
            diagnostic = diagnostic.note(format!("it has: {}", known.join(", ")));
        } else {
            diagnostic = diagnostic.note("only a binding whose call holds parameters has members");
        }
        self.report(diagnostic, name.span);
        Value::Error
    }

    fn negate(&mut self, inner: &'a Expr, span: Span, frame: &Frame<'a>) -> Value<'a> {
        match self.value(inner, frame) {
            Value::Tensor(tensor) => self.unary(Unary::Negate, &tensor, span),
            Value::Amount(quantity) => {
                let zero = Quantity::of(Amount::Number(0.0), None);
                self.combine(tfc_grammar::ast::BinaryOp::Subtract, &zero, &quantity, span)
            }
            other => {
                self.wrong_kind(&other, inner.span, "a number or a tensor");
                Value::Error
            }
        }
    }

    /// Only the branch that the condition chooses is evaluated.
    fn choose(&mut self, branches: &'a If, frame: &Frame<'a>, slot: &mut Slot<'a>) -> Value<'a> {
        match self.value(&branches.condition, frame) {
            Value::Flag(true) => self.branch(&branches.then, frame, slot),
            Value::Flag(false) => self.branch(&branches.otherwise, frame, slot),
            Value::Error => {
                if self.dry {
                    self.branch(&branches.then, frame, slot);
                    self.branch(&branches.otherwise, frame, slot);
                }
                Value::Error
            }
            other => {
                self.wrong_kind(&other, branches.condition.span, "a flag or a comparison of constants");
                Value::Error
            }
        }
    }

    fn branch(&mut self, body: &'a Body, frame: &Frame<'a>, slot: &mut Slot<'a>) -> Value<'a> {
        let mut inner = frame.clone();
        self.body(body, &mut inner, frame.locals().len(), slot).unwrap_or_else(|| {
            self.fail(Code::NoResult, body.span, "a branch without a result", "its last line is no expression")
        })
    }

    /// Evaluates the lines of a body; its result, if it has one. The first `outer` names of the frame may be hidden.
    pub fn body(
        &mut self,
        body: &'a Body,
        frame: &mut Frame<'a>,
        outer: usize,
        slot: &mut Slot<'a>,
    ) -> Option<Value<'a>> {
        let mut result = None;
        for line in &body.statements {
            match &line.kind {
                LineKind::Binding(binding) => {
                    let value = self.bound(&binding.name.text, &binding.value, frame);
                    self.bind(&binding.name, value, None, frame, outer);
                }
                LineKind::Result(expr) => result = Some(self.evaluate(expr, frame, slot)),
            }
        }
        result
    }

    /// The value of `name = expr`: the first parameterised call of the chain is called by the name.
    pub fn bound(&mut self, name: &'a str, expr: &'a Expr, frame: &Frame<'a>) -> Value<'a> {
        let mut slot = Slot { binding: Some(name), owner: None };
        match self.evaluate(expr, frame, &mut slot) {
            Value::Tensor(tensor) => {
                Value::Tensor(super::value::Tensor { owner: slot.owner.or(tensor.owner), ..tensor })
            }
            other => other,
        }
    }

    /// Makes a name known; one that is in scope already may be hidden only if it is one of the first `outer`.
    /// `said` is where a call says it.
    pub fn bind(&mut self, name: &'a Name, value: Value<'a>, said: Option<Span>, frame: &mut Frame<'a>, outer: usize) {
        if let Some(first) = frame.locals()[outer..].iter().find(|local| local.name == name.text) {
            let diagnostic = Diagnostic::new(Code::DuplicateName, format!("`{}` is bound twice", name.text))
                .at(self.place(name.span), "bound again")
                .see(first.span, "first bound here");
            self.report(diagnostic, name.span);
        }
        frame.add(Local { name: &name.text, value, span: name.span, said });
    }
}
