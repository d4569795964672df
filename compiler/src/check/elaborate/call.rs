//! Calls: of layers, whose bodies are evaluated in an instance of their own, and of built-ins.

use super::Elaborator;
use super::builtin::Arguments;
use super::expression::Slot;
use super::frame::Frame;
use super::matching::{Actual, Formal, Written, called};
use super::value::{Callable, Closure, Value};
use tfc_grammar::Span;
use tfc_grammar::ast::{Arg, Expr, ExprKind};

/// What becomes of a call's part of the path.
#[derive(Clone, Copy)]
pub(super) enum Naming {
    /// The binding, the token group or the layer's name.
    Call,
    /// The layer's name and the index of the repeat.
    Repeat(i64),
}

/// A call, apart from what is called.
pub(super) struct Site<'f, 'a> {
    /// What a `|>` or a repeat passes on, with the place it comes from.
    pub first: Option<(Value<'a>, Span)>,
    pub args: &'a [Arg],
    pub frame: &'f Frame<'a>,
    pub span: Span,
    pub naming: Naming,
}

impl<'a> Elaborator<'a> {
    pub fn call_expression(
        &mut self,
        callee: &'a Expr,
        args: &'a [Arg],
        span: Span,
        frame: &Frame<'a>,
        slot: &mut Slot<'a>,
    ) -> Value<'a> {
        if let ExprKind::Index { base, indices } = &callee.kind
            && self.is_parameter(base, frame)
        {
            return self.parameter(indices, args, span, frame, slot);
        }
        let site = Site { first: None, args, frame, span, naming: Naming::Call };
        self.call_named(callee, site, slot)
    }

    /// `input |> call |> call`
    pub fn pipeline(&mut self, expr: &'a Expr, frame: &Frame<'a>, slot: &mut Slot<'a>) -> Value<'a> {
        let (mut first, mut calls) = (expr, Vec::new());
        while let ExprKind::Pipe { input, call } = &first.kind {
            calls.push(&**call);
            first = input;
        }
        let (mut value, mut span) = (self.evaluate(first, frame, slot), first.span);
        for call in calls.into_iter().rev() {
            value = self.pipe((value, span), call, frame, slot);
            span = call.span;
        }
        value
    }

    fn pipe(&mut self, first: (Value<'a>, Span), call: &'a Expr, frame: &Frame<'a>, slot: &mut Slot<'a>) -> Value<'a> {
        let (callee, args) = called(call).unwrap_or((call, &[]));
        // A call is marked by its own text, without what is piped into it.
        let site = Site { first: Some(first), args, frame, span: call.span, naming: Naming::Call };
        self.call_named(callee, site, slot)
    }

    fn call_named(&mut self, callee: &'a Expr, site: Site<'_, 'a>, slot: &mut Slot<'a>) -> Value<'a> {
        match self.callee(callee, site.frame) {
            Some(closure) => self.call(&closure, site, slot),
            None => {
                // What it would be given is checked nevertheless.
                site.args.iter().for_each(|arg| drop(self.value(&arg.value, site.frame)));
                Value::Error
            }
        }
    }

    /// Calls a layer or a built-in with what the closure was given and with what the call gives.
    pub fn call(&mut self, closure: &Closure<'a>, site: Site<'_, 'a>, slot: &mut Slot<'a>) -> Value<'a> {
        if self.stops(site.span) {
            return Value::Error;
        }
        let given: Vec<Frame<'a>> = closure.given.iter().map(|given| self.seen(given, site.frame)).collect();
        let mut lists = vec![Written { args: site.args, frame: site.frame }];
        lists.extend(closure.given.iter().zip(&given).map(|(given, frame)| Written { args: given.args, frame }));
        match closure.callable {
            Callable::Layer(layer) => self.call_layer(layer, &lists, site, slot),
            Callable::Builtin(builtin) => {
                let formals = builtin.formals();
                let Some(actuals) = self.matched(builtin.name(), &formals, site.first, &lists, site.span) else {
                    return Value::Error;
                };
                let mut values = Vec::with_capacity(formals.len());
                for (formal, actuals) in formals.iter().zip(actuals) {
                    values.push(actuals.into_iter().map(|actual| self.actual(formal, actual, &lists)).collect());
                }
                let before = self.parameters.len();
                let value = self.apply(builtin, &Arguments { values, span: site.span }).unwrap_or(Value::Error);
                if self.parameters.len() > before {
                    // A repeat is named after its layer; what follows it in the chain is not the first.
                    slot.binding = None;
                }
                value
            }
        }
    }

    /// The value of an actual, and where it was said.
    pub fn actual(&mut self, formal: &Formal<'a>, actual: Actual<'a>, lists: &[Written<'_, 'a>]) -> (Value<'a>, Span) {
        match actual {
            Actual::Value(value, span) => (value, span),
            Actual::True(span) => (Value::Flag(true), span),
            Actual::Expr(expr, list) => match &formal.layer {
                Some(sees) => (self.waiting(expr, lists[list].frame, sees), self.said(expr, lists[list].frame)),
                None => (self.value(expr, lists[list].frame), self.said(expr, lists[list].frame)),
            },
        }
    }
}
