//! `parameter[shape](init = …, role = …)`: the only thing that makes parameters.

use super::amount::symbols;
use super::builtin::Arguments;
use super::expression::Slot;
use super::frame::Frame;
use super::instance::InstanceId;
use super::matching::{Formal, Written};
use super::value::{Axis, Distribution, Field, Tensor, Value};
use super::{Elaborator, Parameter};
use crate::graph::DType;
use crate::model::{Amount, Init, Primitive, Role};
use crate::size::{Size, Symbol};
use tfc_grammar::ast::{Arg, Expr};
use tfc_grammar::{Code, Diagnostic, Span};

/// The arguments of `parameter`, in order.
const FORMALS: [&str; 3] = ["init", "role", "default"];
const INIT: usize = 0;
const ROLE: usize = 1;
const DEFAULT: usize = 2;

const ROLES: [(&str, Role); 9] = [
    ("keys", Role::Keys),
    ("values", Role::Values),
    ("embedding", Role::Embedding),
    ("linear", Role::Linear),
    ("positions", Role::Positions),
    ("norm_weight", Role::NormWeight),
    ("norm_bias", Role::NormBias),
    ("bias", Role::Bias),
    ("free", Role::Free),
];

impl<'a> Elaborator<'a> {
    /// Whether a name means the parameter constructor, not a local or a definition.
    pub fn is_parameter(&self, base: &Expr, frame: &Frame<'a>) -> bool {
        base.as_name() == Some("parameter")
            && frame.find("parameter").is_none()
            && self.names.find(frame.scope, "parameter").is_none()
    }

    pub fn parameter(
        &mut self,
        shape: &'a [Expr],
        args: &'a [Arg],
        span: Span,
        frame: &Frame<'a>,
        slot: &mut Slot<'a>,
    ) -> Value<'a> {
        self.declared(shape, args, span, frame, slot).map_or(Value::Error, Value::Tensor)
    }

    fn declared(
        &mut self,
        shape: &'a [Expr],
        args: &'a [Arg],
        span: Span,
        frame: &Frame<'a>,
        slot: &mut Slot<'a>,
    ) -> Option<Tensor> {
        let axes: Vec<Option<(Axis, Span)>> =
            shape.iter().map(|element| self.fixed_or_tokens(element, frame)).collect();
        let formals =
            FORMALS.map(|name| Formal { name, required: false, place: None, flag: false, many: false, layer: None });
        let actuals = self.matched("parameter", &formals, None, &[Written { args, frame }], span)?;
        let values = formals.iter().zip(actuals).map(|(formal, actuals)| {
            actuals.into_iter().map(|actual| self.actual(formal, actual, &[Written { args, frame }])).collect()
        });
        let args = Arguments { values: values.collect(), span };
        let axes: Vec<(Axis, Span)> = axes.into_iter().collect::<Option<_>>()?;
        if self.dry {
            return None;
        }

        let grows = self.growing_axes(&axes)?;
        let name = slot.binding.take().unwrap_or("parameter");
        let role = self.role(&args, name)?;
        let init = self.init(&args, name, role)?;
        let key = (self.instance, name.to_string());
        if name == "loss" && self.instance == InstanceId::ROOT {
            let message = "a parameter of the model cannot be called `loss`";
            self.fail(Code::DuplicateName, span, message, "gradients have a result of this name, the loss");
            return None;
        }
        if let Some(first) = self.parameter_of.get(&key) {
            self.equal_paths(name, span, self.parameters[*first].span, super::call::Naming::Call);
            return None;
        }
        self.instances.hold(self.instance);
        let index = self.parameters.len();
        self.parameter_of.insert(key, index);
        let axes: Vec<Axis> = axes.into_iter().map(|(axis, _)| axis).collect();
        let value = self.emit(Primitive::Parameter(index), &[], DType::F32, axes, span);
        self.parameters.push(Parameter {
            instance: self.instance,
            name: name.to_string(),
            shape: value.shape(),
            role,
            init,
            grows,
            span: self.place(span),
            value: value.clone(),
        });
        Some(value)
    }

    /// The parameters that a call just made itself.
    pub fn own_parameters(&self, instance: InstanceId) -> impl Iterator<Item = &Parameter> {
        // Those of an instance are made after it, and so are the instances in it.
        self.parameters.iter().rev().take_while(move |p| p.instance >= instance).filter(move |p| p.instance == instance)
    }

    /// One size of a parameter: what varies from batch to batch cannot be one.
    fn fixed_or_tokens(&mut self, element: &'a Expr, frame: &Frame<'a>) -> Option<(Axis, Span)> {
        let value = self.value(element, frame);
        let said = self.said(element, frame);
        let axis = self.dimension(&value, said)?;
        if axis.size.symbols().iter().any(|symbol| self.axis_of_symbol(*symbol).is_none()) {
            let message = format!("a parameter cannot have the size {}", self.size_text(&axis.size));
            let mut diagnostic =
                Diagnostic::new(Code::NotConstant, message).at(self.place(said), "it varies from batch to batch");
            if axis.size == Size::symbol(Symbol::SEQUENCE) {
                diagnostic = diagnostic.help(format!("say the most there can be: {}", self.context.unwrap_or(1)));
            }
            self.report(self.origins(diagnostic, &[&axis]), element.span);
            return None;
        }
        Some((axis, said))
    }

    /// The axes that grow, each with the index of its tokens.
    fn growing_axes(&mut self, axes: &[(Axis, Span)]) -> Option<Vec<(usize, usize)>> {
        let mut grows = Vec::new();
        for (index, (axis, span)) in axes.iter().enumerate() {
            if axis.size.as_constant().is_some() {
                continue;
            }
            let Some(tokens) = axis.size.as_symbol().and_then(|symbol: Symbol| self.axis_of_symbol(symbol)) else {
                let message = format!("`{}` grows, but is not declared as tokens", self.size_text(&axis.size));
                let diagnostic = Diagnostic::new(Code::NotConstant, message)
                    .at(self.place(*span), "an axis of a parameter is fixed or is tokens")
                    .help("declare it in the model: `tokens NAME = …`");
                self.report(diagnostic, *span);
                return None;
            };
            grows.push((index, tokens));
        }
        Some(grows)
    }

    /// The role that is said, or else the one that the name says.
    fn role(&self, args: &Arguments<'a>, name: &str) -> Option<Role> {
        let Some((value, span)) = args.values[ROLE].first() else {
            return Some(match name {
                "keys" => Role::Keys,
                "values" => Role::Values,
                "bias" => Role::Bias,
                _ => Role::Free,
            });
        };
        let known = self.word_of(value).and_then(|text| ROLES.iter().find(|(word, _)| *word == text));
        if known.is_none() {
            self.unknown_option(value, *span, &ROLES.map(|(word, _)| word));
        }
        known.map(|(_, role)| *role)
    }

    /// `init`, where it says something of this parameter; else `default`; else normal(0.02). One distribution for all parameters of an
    /// operation does not mean its biases.
    fn init(&mut self, args: &Arguments<'a>, name: &str, role: Role) -> Option<Init> {
        for index in [INIT, DEFAULT] {
            let Some((value, span)) = args.values[index].first() else { continue };
            let value = match value {
                Value::Tuple(fields) => match self.own_field(fields, name) {
                    Some(value) => value.clone(),
                    None => continue,
                },
                value if value.is_none() => continue,
                _ if index == INIT && role == Role::Bias && !args.values[DEFAULT].is_empty() => continue,
                value => value.clone(),
            };
            return self.distribution(&value, *span);
        }
        Some(Init::Normal { std: Amount::Number(0.02) })
    }

    fn own_field<'v>(&self, fields: &'v [Field<'a>], name: &str) -> Option<&'v Value<'a>> {
        fields.iter().find(|field| field.name == Some(name)).map(|field| &field.value)
    }

    /// What does not follow a call: numbers are drawn before any.
    fn lasting(&mut self, amount: &Amount, span: Span) -> Option<Amount> {
        let resolved = self.resolve(amount);
        if symbols(&resolved).iter().any(|symbol| [Symbol::BATCH, Symbol::SEQUENCE].contains(symbol)) {
            let label = format!("`{}` is known in a call only", self.amount_text(&resolved));
            self.fail(Code::WrongType, span, "numbers are drawn before any call", label);
            return None;
        }
        Some(resolved)
    }

    fn distribution(&mut self, value: &Value<'a>, span: Span) -> Option<Init> {
        match value {
            Value::Distribution(Distribution::Normal { std }) => Some(Init::Normal { std: self.lasting(std, span)? }),
            Value::Distribution(Distribution::Uniform { low: None, high }) => {
                Some(Init::Uniform { bound: self.lasting(high, span)? })
            }
            _ => match self.word_of(value) {
                Some("zero") => Some(Init::Zero),
                Some("one") => Some(Init::One),
                _ => {
                    self.wrong_kind(value, span, "`zero`, `one`, `normal(std)` or `uniform(bound)`");
                    None
                }
            },
        }
    }
}
