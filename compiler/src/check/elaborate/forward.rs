//! The model's own text: the inputs and lines of `forward`, then `loss` and the bindings beside it.

use super::Elaborator;
use super::expression::Slot;
use super::frame::Frame;
use super::value::{Axis, Tensor, Value};
use crate::check::mentions::{in_body, in_expr};
use crate::compiled::OWN_INPUTS;
use crate::graph::DType;
use crate::model::{InputKind, ModelInput, Primitive, ValueId};
use crate::size::{Size, Symbol};
use std::collections::BTreeSet;
use tfc_grammar::ast::{self, Expr, ExprKind, LineKind, MemberKind, SectionKind};
use tfc_grammar::{Code, Diagnostic, Span};

/// What the model's text names.
pub(super) struct Named {
    pub model: String,
    pub names: Vec<(String, ValueId)>,
    pub loss: Option<ValueId>,
    pub metrics: Vec<(String, ValueId)>,
}

impl<'a> Elaborator<'a> {
    /// None if there is no model or no `forward`.
    pub fn forward(&mut self) -> Option<Named> {
        let experiment = &self.names.experiment;
        let Some((ast, scope)) = experiment.model else {
            let section = experiment.sections.values().next().filter(|_| !self.names.report.has_errors());
            if let Some((section, _)) = section {
                let message = "an experiment needs a `model`";
                self.fail(Code::MissingBlock, section.keyword, message, "what should this work on?");
            }
            return None;
        };
        let forward = self.only_forward(ast)?;
        let mut frame = Frame::new(scope);
        for param in &forward.params {
            let value = self.input(param, &frame).map_or(Value::Error, Value::Tensor);
            self.bind(&param.name, value, None, &mut frame, 0);
        }
        let inputs = frame.locals().len();
        if let Some(result) = forward.body.result() {
            let message = "a result of `forward` needs a name";
            self.fail(Code::ResultNotLast, result.span, message, "say `NAME = …`");
        }
        for line in &forward.body.statements {
            if let LineKind::Binding(binding) = &line.kind {
                let value = self.bound(&binding.name.text, &binding.value, &frame);
                self.bind(&binding.name, value, None, &mut frame, 0);
            }
        }
        let computed = frame.locals().len();
        let mut mentioned = BTreeSet::new();
        in_body(&forward.body, &mut |name| {
            mentioned.insert(name);
        });
        for member in &ast.members.statements {
            if let MemberKind::Binding(binding) = &member.kind {
                in_expr(&binding.value, &mut |name| {
                    mentioned.insert(name);
                });
                let value = self.bound(&binding.name.text, &binding.value, &frame);
                self.bind(&binding.name, value, None, &mut frame, 0);
            }
        }
        self.words_are_used(&frame, &mentioned);
        self.named(ast, &frame, inputs, computed)
    }

    fn only_forward(&self, ast: &'a ast::Model) -> Option<&'a ast::Forward> {
        let mut all = ast.members.statements.iter().filter_map(|member| match &member.kind {
            MemberKind::Forward(forward) => Some(forward),
            MemberKind::Let(_) | MemberKind::Tokens(_) | MemberKind::Layer(_) | MemberKind::Binding(_) => None,
        });
        let Some(first) = all.next() else {
            // Whoever writes a model begins with something else, and may be told what is wrong with that.
            if !self.names.report.has_errors() {
                let message = format!("the model `{}` has no `forward`", ast.name.text);
                self.fail(Code::MissingForward, ast.name.span, message, "what does it compute?");
            }
            return None;
        };
        if let Some(second) = all.next() {
            let diagnostic = Diagnostic::new(Code::DuplicateBlock, "two `forward` blocks");
            let diagnostic = diagnostic.at(second.keyword, "the second").see(first.keyword, "the first");
            self.report(diagnostic, second.keyword);
        }
        Some(first)
    }

    /// A word can be handed on, such as a mask; one that is not is a name that means nothing.
    fn words_are_used(&self, frame: &Frame<'a>, mentioned: &BTreeSet<&str>) {
        for local in frame.locals() {
            if matches!(local.value, Value::Word(_)) && local.name != "loss" && !mentioned.contains(local.name) {
                self.wrong_kind(&local.value, local.span, "a tensor");
            }
        }
    }

    /// The names of the program: bindings of `forward` from `inputs` on, `loss` and metrics from `computed` on.
    fn named(&self, ast: &'a ast::Model, frame: &Frame<'a>, inputs: usize, computed: usize) -> Option<Named> {
        let mut named = Named { model: ast.name.text.clone(), names: Vec::new(), loss: None, metrics: Vec::new() };
        for (index, local) in frame.locals().iter().enumerate().skip(inputs) {
            let Value::Tensor(tensor) = &local.value else {
                if local.name == "loss" && index >= computed {
                    self.wrong_kind(&local.value, local.span, "a tensor");
                }
                continue;
            };
            named.names.push((local.name.to_string(), tensor.id));
            let is_number = tensor.rank() == 0 && tensor.dtype == DType::F32;
            match (index >= computed, local.name == "loss") {
                (false, _) => {}
                (true, true) if is_number => named.loss = Some(tensor.id),
                (true, true) => {
                    let label = format!("its shape is {}", self.shape_text(tensor));
                    self.fail(Code::NotScalar, local.span, "the loss is a single number", label);
                }
                (true, false) if is_number => named.metrics.push((local.name.to_string(), tensor.id)),
                (true, false) => {}
            }
        }
        let trains = self.names.experiment.sections.contains_key(&SectionKind::Train);
        let has_loss = frame.locals()[computed..].iter().any(|local| local.name == "loss");
        if trains && !has_loss {
            let message = format!("the model `{}` has no `loss`", ast.name.text);
            self.fail(Code::MissingLoss, ast.name.span, message, "training needs one, beside `forward`");
        }
        Some(named)
    }

    fn input(&mut self, param: &'a ast::Param, frame: &Frame<'a>) -> Option<Tensor> {
        if let Some(default) = &param.default {
            self.fail(Code::WrongType, default.span, "an input has no default", "it is handed to the model");
        }
        let name = &param.name;
        if OWN_INPUTS.contains(&name.text.as_str()) {
            let message = format!("an input of `forward` cannot be called `{}`", name.text);
            self.fail(Code::DuplicateName, name.span, message, "training and generation have an input of this name");
        }
        let (kind, dtype, axes) = self.input_kind(param, frame)?;
        let input = self.inputs.len();
        self.inputs.push(ModelInput { name: param.name.text.clone(), kind, span: param.span });
        Some(self.emit(Primitive::Input(input), &[], dtype, axes, param.span))
    }

    fn input_kind(&mut self, param: &'a ast::Param, frame: &Frame<'a>) -> Option<(InputKind, DType, Vec<Axis>)> {
        let batch = Axis { size: Size::symbol(Symbol::BATCH), origin: None };
        let annotation = param.annotation.as_ref().map(|annotation| (&annotation.kind, annotation.span));
        let (word, elements, span): (_, &[Expr], Span) = match annotation {
            Some((ExprKind::Index { base, indices }, span)) => (base.as_name(), indices, span),
            Some((ExprKind::List(elements), span)) => (Some("tensor"), elements, span),
            Some((_, span)) => (None, &[], span),
            None => (None, &[], param.span),
        };
        let fixed: Vec<Option<Axis>> = elements.iter().map(|element| self.fixed(element, frame)).collect();
        let fixed: Vec<Axis> = fixed.into_iter().collect::<Option<_>>()?;
        let numbers: Vec<i64> = fixed.iter().filter_map(|axis| axis.size.as_constant()).collect();
        let shaped = [std::slice::from_ref(&batch), &fixed].concat();
        match (word, numbers.as_slice()) {
            (Some("token_ids"), &[context]) => {
                if self.context.is_some_and(|other| other != context) {
                    let message = "all inputs of token ids have one context";
                    self.fail(Code::ShapeMismatch, span, message, "another one has another");
                    return None;
                }
                self.context = Some(context);
                let sequence = Axis { size: Size::symbol(Symbol::SEQUENCE), origin: Some(param.span) };
                Some((InputKind::TokenIds { context }, DType::I32, vec![batch, sequence]))
            }
            (Some("image"), &[channels, height, width]) => {
                Some((InputKind::Image { channels, height, width }, DType::F32, shaped))
            }
            (Some("class"), &[classes]) => Some((InputKind::Class { classes }, DType::I32, vec![batch])),
            (Some("tensor"), shape) => Some((InputKind::Tensor { shape: shape.to_vec() }, DType::F32, shaped)),
            _ => {
                let message = format!("the input `{}` needs a type", param.name.text);
                let diagnostic = Diagnostic::new(Code::WrongType, message)
                    .at(span, "none of the four")
                    .note("an input is `token_ids[context]`, `image[channels, height, width]`, `class[n]` or a shape");
                self.report(diagnostic, span);
                None
            }
        }
    }

    /// A size that neither grows nor varies.
    fn fixed(&mut self, element: &'a Expr, frame: &Frame<'a>) -> Option<Axis> {
        let value = self.value(element, frame);
        let axis = self.dimension(&value, element.span)?;
        if axis.size.as_constant().is_none() {
            let diagnostic = Diagnostic::new(Code::NotConstant, "an input's sizes are fixed")
                .at(element.span, format!("`{}` grows", self.size_text(&axis.size)));
            self.report(self.origins(diagnostic, &[&axis]), element.span);
            return None;
        }
        Some(axis)
    }

    /// Checks what can be checked of layers that nothing calls: names, and the arguments of their calls.
    pub fn uncalled_layers(&mut self) {
        self.dry = true;
        for (index, definition) in self.names.layers.iter().enumerate() {
            if self.called.contains(&index) || definition.ast.name.span.file == self.names.std {
                continue;
            }
            let mut frame = Frame::new(definition.scope);
            for param in &definition.ast.params {
                if let Some(default) =
                    param.default.as_ref().filter(|_| super::matching::Formal::of(param).layer.is_none())
                {
                    self.value(default, &frame);
                }
                if let Some(ExprKind::List(elements)) = param.annotation.as_ref().map(|annotation| &annotation.kind) {
                    for name in elements.iter().filter_map(Expr::as_name) {
                        if matches!(self.name(name, param.span, &frame), Value::Word(_)) {
                            frame.bind(name, Value::Error, param.span);
                        }
                    }
                }
                self.bind(&param.name, Value::Error, None, &mut frame, 0);
            }
            if self.body(&definition.ast.body, &mut frame, 0, &mut Slot::default()).is_none() {
                let message = format!("the layer `{}` has no result", definition.ast.name.text);
                self.fail(Code::NoResult, definition.ast.name.span, message, "its last line is no expression");
            }
        }
        self.dry = false;
    }
}
