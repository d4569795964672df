//! Annotations of parameters: a shape `[.., d]` is compared with what is given and binds the sizes that have no name yet.

use super::Elaborator;
use super::frame::Frame;
use super::value::{Axis, Tensor, Value};
use tfc_grammar::ast::{Expr, ExprKind, Param};
use tfc_grammar::{Code, Diagnostic, Span, did_you_mean};

impl<'a> Elaborator<'a> {
    /// Whether a value is what the parameter's annotation and default ask for. Sizes that the annotation names are bound in `frame`.
    pub fn annotated(&mut self, param: &'a Param, value: &Value<'a>, span: Span, frame: &mut Frame<'a>) -> bool {
        let flag = param.default.as_ref().is_some_and(|default| matches!(default.kind, ExprKind::Flag(_)));
        if flag && !matches!(value, Value::Flag(_)) {
            let needed = format!("a flag for `{}`", param.name.text);
            match value {
                Value::Word(word) => {
                    self.unknown_word(word, &needed, did_you_mean(&word.text, [param.name.text.as_str()]));
                }
                other => self.wrong_kind(other, span, &needed),
            }
            return false;
        }
        let Some(annotation) = &param.annotation else { return true };
        if let ExprKind::List(elements) = &annotation.kind {
            if let Value::Tensor(tensor) = value {
                return self.unify(elements, annotation.span, tensor, span, frame);
            }
            self.wrong_kind(value, span, "a tensor");
            return false;
        }
        if super::matching::Formal::of(param).layer.is_none() {
            let message = "an annotation is a shape such as `[.., d]`, or `layer`";
            self.fail(Code::WrongType, annotation.span, message, "neither of the two");
            return false;
        }
        let fits = matches!(value, Value::Layer(_)) || value.is_none();
        if !fits {
            self.wrong_kind(value, span, &format!("a layer for `{}`", param.name.text));
        }
        fits
    }

    fn unify(
        &mut self,
        elements: &'a [Expr],
        annotation: Span,
        tensor: &Tensor,
        span: Span,
        frame: &mut Frame<'a>,
    ) -> bool {
        let Some(axes) = self.aligned(elements, annotation, tensor, span) else { return false };
        for (element, axis) in axes {
            if let Some(name) = element.as_name()
                && matches!(self.name(name, element.span, frame), Value::Word(_))
            {
                let origin = axis.origin.or(Some(span));
                frame.bind(name, Value::size(axis.size.clone(), origin), element.span);
                continue;
            }
            let value = self.value(element, frame);
            let Some(expected) = self.dimension(&value, element.span) else { return false };
            if expected.size != axis.size {
                let message = format!("the shape is {} where it is annotated otherwise", self.shape_text(tensor));
                let found = format!("{} here", self.size_text(&axis.size));
                let diagnostic = Diagnostic::new(Code::ShapeMismatch, message)
                    .at(self.place(span), found)
                    .see(element.span, format!("expected {}", self.size_text(&expected.size)));
                self.report(self.origins(diagnostic, &[&axis, &expected]), span);
                return false;
            }
        }
        true
    }

    /// The elements of an annotation with the axes they stand for; `..` stands for any number of leading ones.
    fn aligned(
        &mut self,
        elements: &'a [Expr],
        annotation: Span,
        tensor: &Tensor,
        span: Span,
    ) -> Option<Vec<(&'a Expr, Axis)>> {
        let (open, named) = match elements.split_first() {
            Some((first, rest)) if is_ellipsis(first) => (true, rest),
            Some(_) | None => (false, elements),
        };
        if let Some(second) = named.iter().find(|element| is_ellipsis(element)) {
            self.fail(Code::WrongType, second.span, "`..` stands first in an annotation", "unexpected `..`");
            return None;
        }
        let spare = tensor.rank().checked_sub(named.len()).filter(|spare| open || *spare == 0);
        let Some(spare) = spare else {
            let least = if open { "at least " } else { "" };
            let message = format!("{least}{} axes are needed, this has {}", named.len(), tensor.rank());
            let diagnostic = Diagnostic::new(Code::WrongRank, message)
                .at(self.place(span), format!("the shape is {}", self.shape_text(tensor)))
                .see(annotation, "annotated here");
            self.report(diagnostic, span);
            return None;
        };
        Some(named.iter().zip(tensor.axes[spare..].iter().cloned()).collect())
    }
}

pub(super) fn is_ellipsis(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Range { start: None, end: None })
}
