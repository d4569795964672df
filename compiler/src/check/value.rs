//! Constant expressions: what a `let` holds and what a field is given, before anyone asks whether that makes sense there.

use super::Report;
use tfc_grammar::ast::{BinaryOp, Name};
use tfc_grammar::{Code, Span};

/// The largest whole number that sizes and counts reach: every whole number up to it is exact in f64.
pub(super) const LARGEST: f64 = (1u64 << f64::MANTISSA_DIGITS) as f64;

/// What becomes of a number that is computed with and that 32-bit floating point does not hold.
pub(super) fn lost(number: f64) -> Option<&'static str> {
    let size = number.abs();
    if size > f64::from(f32::MAX) {
        Some("too large for 32-bit floating point, where it would be infinite")
    } else if size > 0.0 && size < f64::from(f32::MIN_POSITIVE) {
        Some("too small for 32-bit floating point, where it is as good as zero")
    } else {
        None
    }
}

/// A constant and where it was said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    pub kind: ValueKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum ValueKind {
    /// `10%` is 0.1 and a percentage.
    Number {
        value: f64,
        percent: bool,
    },
    Text(String),
    /// A name that is no constant: a word such as `bf16`, for whoever reads the value to understand or refuse.
    Word(String),
    Flag(bool),
    /// `adamw(lr = 6e-4)`
    Call {
        name: Name,
        args: Vec<Argument>,
    },
    /// `(0.9, 0.95)` or `(keys = zero, values = normal(0.02))`
    Tuple(Vec<Argument>),
    /// `loss <= 2.9`, where a side is no constant.
    Comparison {
        op: BinaryOp,
        left: Box<Value>,
        right: Box<Value>,
    },
    /// What was reported already; whoever meets it stays silent.
    Error,
}

/// `value`, `name = value`, or `value : share`
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Argument {
    pub name: Option<Name>,
    pub value: Value,
    pub share: Option<Value>,
    pub span: Span,
}

impl Value {
    pub fn new(kind: ValueKind, span: Span) -> Value {
        Value { kind, span }
    }

    pub fn number(value: f64, span: Span) -> Value {
        Value::new(ValueKind::Number { value, percent: false }, span)
    }

    pub fn error(span: Span) -> Value {
        Value::new(ValueKind::Error, span)
    }

    /// The value, marked where it is used rather than where it was defined.
    pub fn at(self, span: Span) -> Value {
        Value { span, ..self }
    }

    /// What kind of thing it is, for messages: `a number`.
    pub fn describe(&self) -> String {
        match &self.kind {
            ValueKind::Number { percent: false, .. } => "a number".into(),
            ValueKind::Number { percent: true, .. } => "a percentage".into(),
            ValueKind::Text(_) => "a text".into(),
            ValueKind::Word(word) => format!("the word `{word}`"),
            ValueKind::Flag(_) => "a flag".into(),
            ValueKind::Call { name, .. } => format!("a call of `{}`", name.text),
            ValueKind::Tuple(_) => "a tuple".into(),
            ValueKind::Comparison { .. } => "a comparison".into(),
            ValueKind::Error => "an error".into(),
        }
    }
}

/// What an operation on two numbers makes.
pub(super) enum Outcome {
    Number(f64),
    Flag(bool),
}

/// `left op right`; or the code and the message of what is wrong with it.
pub(super) fn calculate(op: BinaryOp, left: f64, right: f64) -> Result<Outcome, (Code, &'static str)> {
    let number = match op {
        BinaryOp::Add => left + right,
        BinaryOp::Subtract => left - right,
        BinaryOp::Multiply => left * right,
        BinaryOp::Divide if right == 0.0 => return Err((Code::DivisionByZero, "division by zero")),
        BinaryOp::Divide => left / right,
        BinaryOp::Less => return Ok(Outcome::Flag(left < right)),
        BinaryOp::LessEqual => return Ok(Outcome::Flag(left <= right)),
        BinaryOp::Greater => return Ok(Outcome::Flag(left > right)),
        BinaryOp::GreaterEqual => return Ok(Outcome::Flag(left >= right)),
        BinaryOp::Equal => return Ok(Outcome::Flag(left == right)),
        BinaryOp::NotEqual => return Ok(Outcome::Flag(left != right)),
    };
    if number.is_finite() { Ok(Outcome::Number(number)) } else { Err((Code::NumberOutOfRange, "number out of range")) }
}

/// Whether `left op right` is a percentage: a multiple, a part or a sum of percentages is one.
pub(super) fn percentage(op: BinaryOp, left: bool, right: bool) -> bool {
    match op {
        BinaryOp::Multiply => left || right,
        BinaryOp::Divide => left && !right,
        BinaryOp::Add | BinaryOp::Subtract => left && right,
        BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual
        | BinaryOp::Equal
        | BinaryOp::NotEqual => false,
    }
}

/// The number as a size: whole, at least one, at most [`LARGEST`]; or an error at `span`.
pub(super) fn size(value: f64, span: Span, report: &Report) -> Option<i64> {
    let (code, message, label) = if value > LARGEST {
        (Code::SizeOverflow, "the size is too large".into(), format!("{value} is more than 2^53"))
    } else if value < 1.0 && value.fract() == 0.0 {
        (Code::NegativeSize, "a size is at least one".into(), format!("this is {value}"))
    } else if value.fract() != 0.0 || value.is_nan() {
        (Code::NotAnInteger, "a size is a whole number".to_string(), format!("this is {value}"))
    } else {
        return Some(value as i64);
    };
    report.error(code, span, message, label);
    None
}
