//! What compares logits with labels, and the labels of a language model.

use super::Arguments;
use crate::check::elaborate::Elaborator;
use crate::check::elaborate::value::{Axis, Tensor, sizes};
use crate::graph::DType;
use crate::model::{InputKind, ModelInput, Primitive, source_of_ids};
use crate::size::Symbol;
use tfc_grammar::{Code, Span};

impl<'a> Elaborator<'a> {
    pub fn cross_entropy(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        self.compared(Primitive::CrossEntropy, args)
    }

    pub fn accuracy(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        self.compared(Primitive::Accuracy, args)
    }

    /// (logits `[.., classes]`, labels `[..]`) → a number.
    fn compared(&mut self, primitive: Primitive, args: &Arguments<'a>) -> Option<Tensor> {
        let (logits, labels) = (self.floats(args, 0)?, self.integers(args, 1)?);
        let rows = logits.axes.split_last().map(|(_, rows)| sizes(rows));
        if rows.as_ref() != Some(&sizes(&labels.axes)) {
            self.wrong_shapes(
                Code::ShapeMismatch,
                "there is one label per row of logits",
                &[&logits, &labels],
                &[],
                args.span,
            );
            return None;
        }
        let known = logits.axes.last().is_none_or(|axis| self.has_ids(&labels, &logits, axis, "columns", args.span));
        known.then(|| self.emit(primitive, &[&logits, &labels], DType::F32, Vec::new(), args.span))
    }

    /// Whether an axis of a tensor has a place for each id, as far as no stage and no tokenizer decides it.
    pub fn has_ids(&self, ids: &Tensor, tensor: &Tensor, axis: &Axis, places: &str, span: Span) -> bool {
        let ModelInput { name, kind, .. } = &self.inputs[source_of_ids(&self.values, ids.id)];
        let is_fixed = axis.size.all_symbols(|symbol| ![Symbol::BATCH, Symbol::SEQUENCE].contains(&symbol));
        let message = match (kind, axis.size.as_constant()) {
            (InputKind::Class { classes }, Some(number)) if number < *classes => {
                format!("`{name}` has {classes} classes, and there are {number} {places}")
            }
            _ if is_fixed => return true,
            _ => {
                let number = self.size_text(&axis.size);
                format!("what `{name}` holds does not follow the length of a call, and there are {number} {places}")
            }
        };
        self.wrong_shapes(Code::ShapeMismatch, &message, &[tensor], &[axis], span);
        false
    }

    /// The same sequence one place later.
    pub fn next(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let ids = self.tensor(args, 0)?;
        let is_ids = |input: &ModelInput| matches!(input.kind, InputKind::TokenIds { .. });
        let Primitive::Input(input) = self.values[ids.id.0 as usize].primitive else {
            return self.no_ids(args);
        };
        if !is_ids(&self.inputs[input]) {
            return self.no_ids(args);
        }
        if self.next_of.is_some_and(|other| other != input) {
            let message = "`next` of a second input is not yet supported";
            self.fail(Code::NotYetSupported, args.span, message, "the other is asked of elsewhere");
            return None;
        }
        self.next_of = Some(input);
        Some(self.emit(Primitive::Next(input), &[], DType::I32, ids.axes.clone(), args.span))
    }

    fn no_ids(&self, args: &Arguments<'a>) -> Option<Tensor> {
        self.fail(Code::WrongType, args.values[0][0].1, "`next` takes an input of token ids", "this is none");
        None
    }
}
