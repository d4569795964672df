//! What is called: a name, or a layer that waits for its first argument.

use super::Elaborator;
use super::builtin::Builtin;
use super::frame::Frame;
use super::matching::called;
use super::value::{Callable, Closure, Given, Value};
use crate::check::names::Meaning;
use std::rc::Rc;
use tfc_grammar::ast::Expr;
use tfc_grammar::{Code, Diagnostic, Span, did_you_mean};

impl<'a> Elaborator<'a> {
    /// What a name calls. Names of values are passed over: `gelu = erf` does not hide the function.
    pub fn callee(&mut self, callee: &'a Expr, frame: &Frame<'a>) -> Option<Rc<Closure<'a>>> {
        let Some(name) = callee.as_name() else {
            self.value(callee, frame);
            self.fail(
                Code::NotCallable,
                callee.span,
                "only layers and operations can be called",
                "not the name of one",
            );
            return None;
        };
        let local = frame.locals().iter().rev().find(|local| local.name == name && callable(&local.value));
        let outer = Frame::new(frame.scope);
        let found = local.map_or_else(|| self.name(name, callee.span, &outer), |local| local.value.clone());
        if let Value::Layer(closure) = found {
            return Some(closure);
        }
        if let Some(builtin) = Builtin::named(name) {
            return Some(Rc::new(Closure::bare(Callable::Builtin(builtin))));
        }
        match self.name(name, callee.span, frame) {
            Value::Error => {}
            Value::Word(_) => self.unknown_callee(name, callee.span, frame),
            value => {
                let label = format!("this is {}", value.describe());
                self.fail(Code::NotCallable, callee.span, format!("`{name}` cannot be called"), label);
            }
        }
        None
    }

    fn unknown_callee(&self, name: &str, span: Span, frame: &Frame<'a>) {
        let locals = frame.locals().iter().filter(|local| callable(&local.value)).map(|local| local.name);
        let visible = self.names.visible(frame.scope);
        let layers = visible.into_iter().filter(|n| matches!(self.names.find(frame.scope, n), Some(Meaning::Layer(_))));
        let known: Vec<&str> = locals.chain(layers).chain(Builtin::names().map(|name| name as &str)).collect();
        let place = self.place(span);
        let diagnostic = Diagnostic::new(Code::UnknownName, format!("there is no layer or operation `{name}`"));
        let diagnostic = diagnostic.at(place, "not defined");
        self.report(
            match did_you_mean(name, known) {
                Some(near) => diagnostic.suggest("there is a similar name", place, near),
                None => diagnostic,
            },
            span,
        );
    }

    /// A layer, or a call of one without its first argument; anything else (`none`) as it is.
    pub fn waiting(&mut self, expr: &'a Expr, frame: &Frame<'a>, sees: &[&'a str]) -> Value<'a> {
        let Some((callee, args)) = called(expr) else {
            let mut value = self.value(expr, frame);
            if let Value::Layer(closure) = &mut value {
                Rc::make_mut(closure).given.iter_mut().for_each(|given| given.sees.extend(sees));
            }
            return value;
        };
        let Some(mut closure) = self.callee(callee, frame) else { return Value::Error };
        Rc::make_mut(&mut closure).given.insert(0, Given { args, frame: frame.clone(), sees: sees.to_vec() });
        Value::Layer(closure)
    }

    /// The names that waiting arguments were written among, with those the place of the call lends them.
    pub fn seen(&self, given: &Given<'a>, here: &Frame<'a>) -> Frame<'a> {
        let mut frame = given.frame.clone();
        given.sees.iter().filter_map(|name| here.find(name)).for_each(|local| frame.add(local.clone()));
        frame
    }
}

fn callable(value: &Value) -> bool {
    matches!(value, Value::Layer(_) | Value::Error)
}
