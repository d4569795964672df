//! Calls of layers: a body is evaluated in an instance of its own, which gets its part of the path when the call is done.

use super::call::{Naming, Site};
use super::expression::Slot;
use super::frame::Frame;
use super::instance::InstanceId;
use super::matching::{Formal, Written};
use super::value::{Field, Value};
use super::{Call, Elaborator};
use tfc_grammar::{Code, Diagnostic, Span};

impl<'a> Elaborator<'a> {
    pub fn call_layer(
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
        let own: Vec<&str> = self.own_parameters(instance).map(|parameter| parameter.name.as_str()).collect();
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
        match self.own_parameters(instance).find_map(|parameter| parameter.grows.first().copied()) {
            Some((_, axis)) => self.names.groups[self.token_axes[axis].group].name().to_string(),
            None => layer.to_string(),
        }
    }

    /// Binds what a layer is given, or else its defaults, and evaluates its body.
    fn layer_body(&mut self, layer: usize, given: Vec<Option<(Value<'a>, Span)>>) -> Value<'a> {
        let definition = &self.names.layers[layer];
        let ast = definition.ast;
        let mut frame = Frame::new(definition.scope);
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
            self.bind(&param.name, value, said, &mut frame, 0);
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
