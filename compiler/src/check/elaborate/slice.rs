//! Slices: `x[.., 0..5]` keeps a part of an axis, `x[.., 0, ..]` takes one place of it.

use super::Elaborator;
use super::annotation::is_ellipsis;
use super::frame::Frame;
use super::value::{Axis, Quantity, Tensor, Value};
use crate::model::Primitive;
use crate::size::Size;
use tfc_grammar::ast::{Expr, ExprKind};
use tfc_grammar::{Code, Span};

impl<'a> Elaborator<'a> {
    pub fn slice(&mut self, base: &'a Expr, indices: &'a [Expr], span: Span, frame: &Frame<'a>) -> Value<'a> {
        match self.value(base, frame) {
            Value::Tensor(x) => self.sliced(x, indices, span, frame).map_or(Value::Error, Value::Tensor),
            other => {
                self.wrong_kind(&other, base.span, "a tensor");
                Value::Error
            }
        }
    }

    fn sliced(&mut self, x: Tensor, indices: &'a [Expr], span: Span, frame: &Frame<'a>) -> Option<Tensor> {
        let mut result = x.clone();
        let mut taken = Vec::new();
        for (axis, index) in self.spread_out(&x, indices, span)? {
            if is_ellipsis(index) {
                continue;
            }
            let whole = &x.axes[axis];
            let (start, length) = if let ExprKind::Range { start, end } = &index.kind {
                let start = start.as_ref().map_or(Some(Size::constant(0)), |start| self.bound_of(start, frame))?;
                let end = end.as_ref().map_or(Some(whole.size.clone()), |end| self.bound_of(end, frame))?;
                (start.clone(), end - start)
            } else {
                taken.push(axis);
                (self.bound_of(index, frame)?, Size::constant(1))
            };
            self.within(&start, &length, whole, index.span)?;
            let mut axes = result.axes.clone();
            axes[axis] = Axis { size: length.clone(), origin: Some(index.span) };
            result = self.emit(Primitive::Slice { axis, start, length }, &[&result], x.dtype, axes, span);
        }
        if taken.is_empty() {
            return Some(result);
        }
        let axes =
            result.axes.iter().enumerate().filter(|(axis, _)| !taken.contains(axis)).map(|(_, axis)| axis.clone());
        Some(self.emit(Primitive::Reshape, &[&result], x.dtype, axes.collect(), span))
    }

    /// Each index with its axis: the first `..` stands for as many axes as the others leave.
    fn spread_out(&self, x: &Tensor, indices: &'a [Expr], span: Span) -> Option<Vec<(usize, &'a Expr)>> {
        let first = indices.iter().position(is_ellipsis);
        let others = indices.len() - usize::from(first.is_some());
        if others > x.rank() || (first.is_none() && others < x.rank()) {
            let message = format!("{others} indices for {} axes", x.rank());
            self.wrong_shapes(Code::WrongRank, &message, &[x], &[], span);
            return None;
        }
        let spare = x.rank() - others;
        let axis_of = |position: usize| match first {
            Some(ellipsis) if position > ellipsis => position + spare - 1,
            Some(_) | None => position,
        };
        let indices = indices.iter().enumerate().filter(|(position, _)| Some(*position) != first);
        Some(indices.map(|(position, index)| (axis_of(position), index)).collect())
    }

    fn bound_of(&mut self, expr: &'a Expr, frame: &Frame<'a>) -> Option<Size> {
        let value = self.value(expr, frame);
        let Value::Amount(quantity) = &value else {
            self.wrong_kind(&value, expr.span, "a place on the axis");
            return None;
        };
        let resolved = Quantity::of(self.resolve(&quantity.amount), quantity.origin);
        let size = resolved.as_size();
        if size.is_none() {
            let message = format!("`{}` is not a whole number", self.amount_text(&quantity.amount));
            self.fail(Code::NotAnInteger, expr.span, message, "needed as a place on the axis");
        }
        size
    }

    /// Whether the slice certainly lies within the axis, whatever numbers its symbols become: each of which is at least one.
    fn within(&self, start: &Size, length: &Size, axis: &Axis, span: Span) -> Option<()> {
        let rest = axis.size.clone() - start.clone() - length.clone();
        let empty = Size::constant(1);
        if start.least() >= 0 && (length.clone() - empty).least() >= 0 && rest.least() >= 0 {
            return Some(());
        }
        let size = self.size_text(&axis.size);
        let message = format!("the slice does not lie within an axis of size {size}");
        let label = format!("{} from {}", self.size_text(length), self.size_text(start));
        let diagnostic = tfc_grammar::Diagnostic::new(Code::IndexOutOfRange, message).at(self.place(span), label);
        self.report(self.origins(diagnostic, &[axis]), span);
        None
    }
}
