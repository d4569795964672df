//! Arithmetic and comparisons: of amounts, which stay amounts; of tensors, which broadcast; and the equality of words and flags.

use super::Elaborator;
use super::amount::{self, Computed};
use super::frame::Frame;
use super::value::{Quantity, Tensor, Value};
use crate::graph::DType;
use crate::model::Primitive;
use crate::scalar::Binary;
use tfc_grammar::ast::{BinaryOp, Expr, ExprKind};
use tfc_grammar::{Code, Span};

impl<'a> Elaborator<'a> {
    /// `a + b - c` is one loop, not a nest: sums may be long.
    pub fn chain(&mut self, expr: &'a Expr, frame: &Frame<'a>) -> Value<'a> {
        let (mut first, mut links) = (expr, Vec::new());
        while let ExprKind::Binary { op, left, right } = &first.kind {
            links.push((*op, &**left, &**right, first.span));
            first = left;
        }
        let mut value = self.value(first, frame);
        for (op, left, right, span) in links.into_iter().rev() {
            value = self.binary(op, (value, left), right, span, frame);
        }
        value
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        (a, left): (Value<'a>, &'a Expr),
        right: &'a Expr,
        span: Span,
        frame: &Frame<'a>,
    ) -> Value<'a> {
        let b = self.value(right, frame);
        match (&a, &b) {
            (Value::Error, _) | (_, Value::Error) => Value::Error,
            (Value::Amount(a), Value::Amount(b)) => self.combine(op, a, b, span),
            (Value::Tensor(a), Value::Tensor(b)) => self.pointwise(op, a, b, span),
            (Value::Tensor(_), Value::Amount(b)) if op == BinaryOp::Divide && b.as_constant() == Some(0.0) => {
                self.fail(Code::DivisionByZero, span, "division by zero", "")
            }
            (Value::Tensor(a), Value::Amount(b)) => {
                let is_factor = matches!(op, BinaryOp::Multiply | BinaryOp::Divide);
                let b = self.scalar(b, scale_name(right), is_factor, span);
                self.pointwise(op, a, &b, span)
            }
            (Value::Amount(a), Value::Tensor(b)) => {
                let is_factor = matches!(op, BinaryOp::Multiply | BinaryOp::Divide);
                let a = self.scalar(a, scale_name(left), is_factor, span);
                self.pointwise(op, &a, b, span)
            }
            _ => match self.equal(op, &a, &b) {
                Some(flag) => Value::Flag(flag),
                None => {
                    for (value, expr) in [(&a, left), (&b, right)] {
                        if !matches!(value, Value::Amount(_) | Value::Tensor(_)) {
                            self.wrong_kind(value, expr.span, "a number or a tensor");
                        }
                    }
                    Value::Error
                }
            },
        }
    }

    pub fn combine(&mut self, op: BinaryOp, a: &Quantity, b: &Quantity, span: Span) -> Value<'a> {
        match amount::combine(op, a, b) {
            Ok(Computed::Flag(flag)) => Value::Flag(flag),
            // A sum or a product comes from the place where it is written.
            Ok(Computed::Amount(amount)) => Value::Amount(Quantity { amount, origin: Some(span) }),
            Err((code, message)) => self.fail(code, span, message, ""),
        }
    }

    /// Whether words and flags are equal or unequal, whichever is asked. An optional argument may be compared with `none`.
    fn equal(&self, op: BinaryOp, a: &Value<'a>, b: &Value<'a>) -> Option<bool> {
        let wanted = match op {
            BinaryOp::Equal => true,
            BinaryOp::NotEqual => false,
            BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::Multiply
            | BinaryOp::Divide
            | BinaryOp::Less
            | BinaryOp::LessEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterEqual => return None,
        };
        let same = match (a, b) {
            (Value::Flag(a), Value::Flag(b)) => a == b,
            _ if a.is_none() || b.is_none() => a.is_none() && b.is_none(),
            _ => self.word_of(a)? == self.word_of(b)?,
        };
        Some(same == wanted)
    }

    fn pointwise(&mut self, op: BinaryOp, a: &Tensor, b: &Tensor, span: Span) -> Value<'a> {
        let both = self.of_dtype(a.clone(), DType::F32, span).zip(self.of_dtype(b.clone(), DType::F32, span));
        let Some((a, b)) = both else { return Value::Error };
        let Some(axes) = self.broadcast(&a.axes, &b.axes) else {
            let differ = a
                .axes
                .iter()
                .rev()
                .zip(b.axes.iter().rev())
                .find(|(a, b)| a.size != b.size && !a.size.is_one() && !b.size.is_one());
            let at_fault: Vec<_> = differ.into_iter().flat_map(|(a, b)| [a, b]).collect();
            let message = format!("`{}` needs shapes that agree", op.symbol());
            self.wrong_shapes(Code::ShapeMismatch, &message, &[&a, &b], &at_fault, span);
            return Value::Error;
        };
        let (function, first, second) = match op {
            BinaryOp::Add => (Binary::Add, &a, &b),
            BinaryOp::Subtract => (Binary::Subtract, &a, &b),
            BinaryOp::Multiply => (Binary::Multiply, &a, &b),
            BinaryOp::Divide => (Binary::Divide, &a, &b),
            BinaryOp::Less => (Binary::Less, &a, &b),
            BinaryOp::LessEqual => (Binary::LessOrEqual, &a, &b),
            BinaryOp::Greater => (Binary::Less, &b, &a),
            BinaryOp::GreaterEqual => (Binary::LessOrEqual, &b, &a),
            BinaryOp::Equal | BinaryOp::NotEqual => (Binary::Equal, &a, &b),
        };
        let result = self.emit(Primitive::Binary(function), &[first, second], DType::F32, axes.clone(), span);
        if op != BinaryOp::NotEqual {
            return Value::Tensor(result);
        }
        let one = self.number(1.0, span);
        Value::Tensor(self.emit(Primitive::Binary(Binary::Subtract), &[&one, &result], DType::F32, axes, span))
    }
}

/// What a scale is called in its path: the name it has, if it has one.
fn scale_name(expr: &Expr) -> &str {
    expr.as_name().unwrap_or("scale")
}
