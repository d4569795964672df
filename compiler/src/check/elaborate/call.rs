//! Calls: of layers, whose bodies are evaluated in an instance of their own, and of built-ins.

use super::arguments::{Actual, Arguments, Formal, Written};
use super::expression::Slot;
use super::instance::InstanceId;
use super::value::{Callable, Closure, Field, Frame, Given, Value};
use super::{Call, Elaborator};
use crate::check::names::Meaning;
use std::rc::Rc;
use tfc_grammar::ast::{Arg, Expr, ExprKind};
use tfc_grammar::{Code, Diagnostic, Span, did_you_mean};

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

    /// `input |> call`
    pub fn pipe(
        &mut self,
        first: (Value<'a>, Span),
        call: &'a Expr,
        span: Span,
        frame: &Frame<'a>,
        slot: &mut Slot<'a>,
    ) -> Value<'a> {
        let (callee, args): (&Expr, &[Arg]) = match &call.kind {
            ExprKind::Call { callee, args } => (callee, args),
            _ => (call, &[]),
        };
        // A call is marked by its own text, without what is piped into it.
        let place = if span.file == call.span.file { call.span } else { span };
        self.call_named(callee, Site { first: Some(first), args, frame, span: place, naming: Naming::Call }, slot)
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

    /// What a name calls. Names of values are passed over: `gelu = erf` does not hide the function.
    fn callee(&mut self, callee: &'a Expr, frame: &Frame<'a>) -> Option<Rc<Closure<'a>>> {
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
        let local = frame.locals.iter().rev().find(|local| local.name == name && callable(&local.value));
        let outer = Frame { scope: frame.scope, locals: Vec::new() };
        let found = local.map_or_else(|| self.name(name, callee.span, &outer), |local| local.value.clone());
        if let Value::Layer(closure) = found {
            return Some(closure);
        }
        if let Some(builtin) = super::builtin::Builtin::named(name) {
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
        let locals = frame.locals.iter().filter(|local| callable(&local.value)).map(|local| local.name);
        let visible = self.names.visible(frame.scope);
        let layers = visible.into_iter().filter(|n| matches!(self.names.find(frame.scope, n), Some(Meaning::Layer(_))));
        let known: Vec<&str> =
            locals.chain(layers).chain(super::builtin::Builtin::names().map(|name| name as &str)).collect();
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

    /// The names that waiting arguments were written among, with those the place of the call lends them.
    fn seen(&self, given: &Given<'a>, here: &Frame<'a>) -> Frame<'a> {
        let mut frame = given.frame.clone();
        frame.locals.extend(given.sees.iter().filter_map(|name| here.find(name)).cloned());
        frame
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

    /// A layer, or a call of one without its first argument; anything else (`none`) as it is.
    fn waiting(&mut self, expr: &'a Expr, frame: &Frame<'a>, sees: &[&'a str]) -> Value<'a> {
        let (callee, args): (&Expr, &[Arg]) = match &expr.kind {
            ExprKind::Call { callee, args } => (callee, args),
            ExprKind::Name(_) => match self.value(expr, frame) {
                Value::Layer(closure) => {
                    let mut closure = Closure::clone(&closure);
                    closure.given.iter_mut().for_each(|given| given.sees.extend(sees));
                    return Value::Layer(Rc::new(closure));
                }
                other => return other,
            },
            _ => return self.value(expr, frame),
        };
        let Some(closure) = self.callee(callee, frame) else { return Value::Error };
        let mut closure = Closure::clone(&closure);
        closure.given.insert(0, Given { args, frame: frame.clone(), sees: sees.to_vec() });
        Value::Layer(Rc::new(closure))
    }

    fn call_layer(
        &mut self,
        layer: usize,
        lists: &[Written<'_, 'a>],
        site: Site<'_, 'a>,
        slot: &mut Slot<'a>,
    ) -> Value<'a> {
        let ast = self.names.layers[layer].ast;
        let formals: Vec<Formal> = ast.params.iter().map(Formal::of).collect();
        let Some(actuals) = self.matched(&ast.name.text, &formals, site.first, lists, site.span) else {
            return Value::Error;
        };
        let mut given = Vec::with_capacity(formals.len());
        for (formal, actuals) in formals.iter().zip(actuals) {
            given.push(actuals.into_iter().next().map(|actual| self.actual(formal, actual, lists)));
        }
        let failed = given.iter().flatten().any(|(value, _)| matches!(value, Value::Error));
        if failed || self.dry {
            return Value::Error;
        }
        if self.calls.iter().any(|call| call.layer == layer) {
            let message = format!("`{}` calls itself", ast.name.text);
            return self.fail(Code::RecursiveLayer, site.span, message, "the model would have no end");
        }
        self.called.insert(layer);

        let outer = self.instance;
        self.instance = self.instances.enter(outer, matches!(site.naming, Naming::Repeat(_)));
        self.calls.push(Call { layer, span: site.span });
        let init = formals.iter().position(|formal| formal.name == "init").and_then(|index| given[index].clone());
        let value = self.layer_body(layer, given);
        let instance = std::mem::replace(&mut self.instance, outer);
        if let Some((Value::Tuple(fields), _)) = init {
            self.check_init(&fields, instance);
        }
        self.calls.pop();
        if self.instances.holds(instance) {
            let part = match site.naming {
                Naming::Repeat(index) => format!("{}.{index}", ast.name.text),
                Naming::Call => self.part(instance, &ast.name.text, slot),
            };
            if let Some(first) = self.instances.name(instance, part.clone(), site.span) {
                self.equal_paths(&part, site.span, first, site.naming);
            }
        }
        value
    }

    /// Every field of `init = (keys = …, values = …)` is for a parameter of the layer.
    fn check_init(&self, fields: &[Field<'a>], instance: InstanceId) {
        let own: Vec<&str> =
            self.parameters.iter().filter(|p| p.instance == instance).map(|p| p.name.as_str()).collect();
        for field in fields.iter().filter(|_| !own.is_empty()) {
            let Some(name) = field.name.filter(|name| !own.contains(name)) else { continue };
            let place = self.place(field.span);
            let diagnostic = Diagnostic::new(Code::UnknownArgument, format!("no parameter here is named `{name}`"))
                .at(place, format!("its parameters are: {}", own.join(", ")));
            self.report(diagnostic, field.span);
        }
    }

    /// The part of the path that a call is: the name of its binding, or else the group of the tokens it holds, or else its layer.
    fn part(&self, instance: InstanceId, layer: &str, slot: &mut Slot<'a>) -> String {
        if let Some(binding) = slot.binding.take() {
            slot.owner = Some(instance);
            return binding.to_string();
        }
        let own =
            self.parameters.iter().rev().take_while(|p| p.instance >= instance).filter(|p| p.instance == instance);
        match own.filter_map(|parameter| parameter.grows).next() {
            Some((_, axis)) => self.names.groups[self.token_axes[axis].group].name().to_string(),
            None => layer.to_string(),
        }
    }

    /// Binds what a layer is given, or else its defaults, and evaluates its body.
    fn layer_body(&mut self, layer: usize, given: Vec<Option<(Value<'a>, Span)>>) -> Value<'a> {
        let definition = &self.names.layers[layer];
        let ast = definition.ast;
        let mut frame = Frame { scope: definition.scope, locals: Vec::new() };
        for (param, given) in ast.params.iter().zip(given) {
            let said = given.as_ref().map(|(_, span)| *span);
            let (value, span) = match (given, &param.default) {
                (Some(given), _) => given,
                (None, Some(default)) => match Formal::of(param).layer {
                    Some(sees) => (self.waiting(default, &frame, &sees), default.span),
                    None => (self.value(default, &frame), default.span),
                },
                (None, None) => return Value::Error,
            };
            if !self.annotated(param, &value, span, &mut frame) {
                return Value::Error;
            }
            self.bind(&param.name, value, &mut frame, 0);
            frame.locals.iter_mut().rev().take(1).for_each(|local| local.said = said);
        }
        self.body(&ast.body, &mut frame, 0, &mut Slot::default()).unwrap_or_else(|| {
            let message = format!("the layer `{}` has no result", ast.name.text);
            self.fail(Code::NoResult, ast.name.span, message, "its last line is no expression")
        })
    }

    pub fn equal_paths(&self, part: &str, span: Span, first: Span, naming: Naming) {
        let (place, first) = (self.place(span), self.place(first));
        let mut diagnostic = Diagnostic::new(Code::EqualPaths, format!("two calls would be named `{part}`"));
        diagnostic = diagnostic.at(place, "its parameters would have the paths of others");
        if first != place {
            diagnostic = diagnostic.see(first, "named so already");
        }
        let help = match naming {
            Naming::Call => "bind one of them to a name of its own: `NAME = …`",
            Naming::Repeat(_) => "put one repeat into a layer of its own, and bind the call of that to a name",
        };
        self.report(diagnostic.help(help), span);
    }
}

fn callable(value: &Value) -> bool {
    matches!(value, Value::Layer(_) | Value::Error)
}
