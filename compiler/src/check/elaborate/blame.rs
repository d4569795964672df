//! Errors of the elaboration: where they are reported, and how sizes and shapes are written in them.

use super::Elaborator;
use super::amount::{groups, substitute};
use super::frame::Frame;
use super::value::{Axis, Tensor, Value, Word, group_of};
use crate::model::Amount;
use crate::size::Size;
use tfc_grammar::ast::{Expr, Name};
use tfc_grammar::{Code, Diagnostic, Span, did_you_mean};

impl<'a> Elaborator<'a> {
    /// The place in the user's text that is at fault for what happens at `span`: the innermost call outside the standard library.
    pub fn place(&self, span: Span) -> Span {
        if span.file != self.names.std {
            return span;
        }
        let outside = |call: &&super::Call| call.span.file != self.names.std;
        self.calls.iter().rev().find(outside).map_or(span, |call| call.span)
    }

    /// Where an expression is said: what the library only passes on was said by its caller.
    pub fn said(&self, expr: &Expr, frame: &Frame<'a>) -> Span {
        let passed = expr.as_name().filter(|_| expr.span.file == self.names.std).and_then(|name| frame.find(name));
        passed.and_then(|local| local.said).unwrap_or(expr.span)
    }

    /// Reports, and gives the value that silences what follows.
    pub fn fail(&self, code: Code, span: Span, message: impl Into<String>, label: impl Into<String>) -> Value<'a> {
        self.report(Diagnostic::new(code, message).at(self.place(span), label), span);
        Value::Error
    }

    /// Reports what is wrong at `span`; the diagnostic's labels have been moved to [`Elaborator::place`]s.
    pub fn report(&self, diagnostic: Diagnostic, span: Span) {
        if self.stopped {
            return;
        }
        // A layer of the user's that the library calls is no part of the library.
        let of_library = |name: &&Name| name.span.file == self.names.std;
        let names = self.calls.iter().rev().map(|call| &self.names.layers[call.layer].ast.name);
        let innermost = names.filter(|_| span.file == self.names.std).find(of_library);
        self.names.report.push(match innermost {
            Some(name) => diagnostic.note(format!("it happens inside `{}` of the standard library", name.text)),
            None => diagnostic,
        });
    }

    /// Ends the elaboration: a limit was reached.
    pub fn stop(&mut self, code: Code, span: Span, message: impl Into<String>, label: &str) -> Value<'a> {
        self.fail(code, span, message, label);
        self.stopped = true;
        Value::Error
    }

    /// A value of another kind than needed: `needed` is `a tensor`. A name that nothing defines is unknown rather than wrong.
    pub fn wrong_kind(&self, value: &Value<'a>, span: Span, needed: &str) {
        let (code, label) = match value {
            Value::Error => return,
            Value::Word(word) if word.text == "none" => (Code::WrongType, "it is left out".into()),
            Value::Word(word) => return self.unknown_name(word, needed),
            Value::Tensor(tensor) => (
                Code::NotConstant,
                format!("this is a tensor {}, known only when the model runs", self.shape_text(tensor)),
            ),
            Value::Amount(_)
            | Value::Flag(_)
            | Value::Layer(_)
            | Value::Distribution(_)
            | Value::Window(_)
            | Value::Tuple(_) => (Code::WrongType, format!("this is {}", value.describe())),
        };
        self.fail(code, span, format!("{needed} is needed here"), label);
    }

    pub fn unknown_name(&self, word: &Word, needed: &str) {
        let locals = word.frame.locals().iter().map(|local| local.name);
        let near = did_you_mean(&word.text, locals.chain(self.names.visible(word.frame.scope)));
        self.unknown_word(word, needed, near);
    }

    /// A word that nothing defines, and what it may have been meant to be.
    pub fn unknown_word(&self, word: &Word, needed: &str, near: Option<&str>) {
        let place = self.place(word.span);
        let message = format!("`{}` is not known here", word.text);
        let diagnostic = Diagnostic::new(Code::UnknownName, message).at(place, format!("expected {needed}"));
        let diagnostic = match near {
            Some(near) => diagnostic.suggest("there is a similar name", place, near),
            None => diagnostic,
        };
        self.report(diagnostic, word.span);
    }

    /// Adds to a diagnostic where the sizes of a tensor were declared.
    pub fn origins(&self, mut diagnostic: Diagnostic, axes: &[&Axis]) -> Diagnostic {
        for axis in axes {
            let Some(origin) = axis.origin.filter(|origin| origin.file != self.names.std) else { continue };
            if !diagnostic.labels.iter().any(|label| label.span == origin) {
                diagnostic = diagnostic.see(origin, format!("{} comes from here", self.size_text(&axis.size)));
            }
        }
        diagnostic
    }

    /// `[batch, sequence, 768]`
    pub fn shape_text(&self, tensor: &Tensor) -> String {
        let sizes: Vec<String> = tensor.axes.iter().map(|axis| self.size_text(&axis.size)).collect();
        format!("[{}]", sizes.join(", "))
    }

    /// A size without placeholders, by the names that are known before the end.
    pub fn size_text(&self, size: &Size) -> String {
        size.display(&self.symbols).to_string()
    }

    /// An amount with its groups by their names.
    pub fn amount_text(&self, amount: &Amount) -> String {
        match (amount, groups(amount).as_slice()) {
            (Amount::Size(size), &[group, ..]) if size.as_symbol().and_then(group_of) == Some(group) => {
                self.names.groups[group].name().to_string()
            }
            (_, []) => amount.display(&|size| self.size_text(size)),
            // A formula over several groups: as many tokens as they have at first.
            _ => substitute(amount, &|symbol| self.first_tokens(symbol)).display(&|size| self.size_text(size)),
        }
    }

    fn first_tokens(&self, symbol: crate::size::Symbol) -> Size {
        group_of(symbol).map_or(Size::symbol(symbol), |group| Size::constant(self.tokens[group]))
    }

    /// Reports shapes that an operation cannot take, with where the sizes at fault were declared.
    pub fn wrong_shapes(&self, code: Code, message: &str, tensors: &[&Tensor], sizes: &[&Axis], span: Span) {
        let shapes: Vec<String> = tensors.iter().map(|tensor| self.shape_text(tensor)).collect();
        let what = if shapes.len() == 1 { "the shape is" } else { "the shapes are" };
        let mut diagnostic =
            Diagnostic::new(code, message).at(self.place(span), format!("{what} {}", shapes.join(" and ")));
        if let Some(call) = self.calls.last().filter(|_| span.file != self.names.std) {
            diagnostic = diagnostic.see(self.place(call.span), "in this call");
        }
        self.report(self.origins(diagnostic, sizes), span);
    }
}
