//! Functions of each element, and of each row that keep its shape.

use super::Arguments;
use crate::check::elaborate::Elaborator;
use crate::check::elaborate::value::{Axis, Distribution, Quantity, Tensor, Value};
use crate::check::value::lost;
use crate::graph::DType;
use crate::model::{Amount, Primitive};
use crate::scalar::Unary;
use tfc_grammar::{Code, Span};

impl<'a> Elaborator<'a> {
    pub fn unary(&mut self, function: Unary, x: &Tensor, span: Span) -> Value<'a> {
        match self.of_dtype(x.clone(), DType::F32, span) {
            Some(x) => Value::Tensor(self.emit(Primitive::Unary(function), &[&x], DType::F32, x.axes.clone(), span)),
            None => Value::Error,
        }
    }

    pub fn function(&mut self, function: Unary, args: &Arguments<'a>) -> Option<Tensor> {
        self.same_shape(Primitive::Unary(function), args)
    }

    /// `gelu(x)` is the exact one, `gelu(x, tanh)` the approximation.
    pub fn gelu(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let function = match self.choice(args, 1, &["erf", "tanh"])? {
            "tanh" => Unary::GeluTanh,
            _ => Unary::Gelu,
        };
        self.function(function, args)
    }

    /// Of a tensor, or of an amount.
    pub fn sqrt(&mut self, args: &Arguments<'a>) -> Option<Value<'a>> {
        let (value, span) = &args.values[0][0];
        let Value::Amount(quantity) = value else { return self.function(Unary::Sqrt, args).map(Value::Tensor) };
        if quantity.as_constant().is_some_and(|number| number < 0.0) {
            self.fail(Code::ValueOutOfRange, *span, "the square root of a negative number", "negative");
            return None;
        }
        let root = Amount::Sqrt(Box::new(quantity.amount.clone()));
        Some(Value::Amount(Quantity::of(root, quantity.origin)))
    }

    pub fn l2_normalize(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let eps = self.eps(args, 0.0)?;
        self.rows(Primitive::L2Normalize { eps }, args)
    }

    /// To mean 0 and variance 1.
    pub fn standardize(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let eps = self.eps(args, 1e-5)?;
        self.rows(Primitive::LayerNorm { eps }, args)
    }

    pub fn rms_normalize(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let eps = self.eps(args, 1e-5)?;
        self.rows(Primitive::RmsNorm { eps }, args)
    }

    pub fn softmax(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        self.rows(Primitive::Softmax, args)
    }

    pub fn dropout(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let rate = self.rate(args)?;
        let stream = self.stream();
        self.same_shape(Primitive::Dropout { rate, stream }, args)
    }

    pub fn drop_path(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let rate = self.rate(args)?;
        let stream = self.stream();
        self.same_shape(Primitive::DropPath { rate, stream }, args)
    }

    fn rate(&mut self, args: &Arguments<'a>) -> Option<f64> {
        let rate = self.number_or(args, 1, 0.0)?;
        if !(0.0..1.0).contains(&rate) {
            self.fail(
                Code::ValueOutOfRange,
                args.values[1][0].1,
                "a rate is at least 0 and below 1",
                format!("this is {rate}"),
            );
            return None;
        }
        Some(rate)
    }

    /// (x `[.., n]`, uniform(low, high)) → the mask `[n]` of the first tokens.
    pub fn first(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let x = self.floats(args, 0)?;
        let (low, high) = self.fractions(&args.values[1][0])?;
        let Some(tokens) = x.axes.last() else {
            self.wrong_shapes(Code::WrongRank, "there is no axis to mask", &[&x], &[], args.span);
            return None;
        };
        let stream = self.stream();
        let first = Primitive::First { low, high, shown: 1.0, stream };
        Some(self.emit(first, &[], DType::F32, vec![tokens.clone()], args.span))
    }

    fn fractions(&self, (value, span): &(Value<'a>, Span)) -> Option<(f64, f64)> {
        let Value::Distribution(Distribution::Uniform { low: Some(low), high }) = value else {
            self.wrong_kind(value, *span, "`uniform(low, high)`");
            return None;
        };
        let range =
            low.as_constant().zip(high.as_constant()).filter(|(low, high)| 0.0 < *low && low <= high && *high <= 1.0);
        if range.is_none() {
            self.fail(Code::ValueOutOfRange, *span, "the part that is kept lies above 0 and up to 100%", "not within");
        }
        range
    }

    pub fn normal(&mut self, args: &Arguments<'a>) -> Option<Value<'a>> {
        let std = self.spread(&args.values[0][0])?;
        Some(Value::Distribution(Distribution::Normal { std }))
    }

    /// `uniform(bound)` lies in [−bound, bound), `uniform(low, high)` in [low, high).
    pub fn uniform(&mut self, args: &Arguments<'a>) -> Option<Value<'a>> {
        let first = self.spread(&args.values[0][0])?;
        let Some(second) = args.values[1].first() else {
            return Some(Value::Distribution(Distribution::Uniform { low: None, high: first }));
        };
        let high = self.spread(second)?;
        Some(Value::Distribution(Distribution::Uniform { low: Some(first), high }))
    }

    /// An amount that is not negative.
    fn spread(&self, (value, span): &(Value<'a>, Span)) -> Option<Amount> {
        let Value::Amount(quantity) = value else {
            self.wrong_kind(value, *span, "a number");
            return None;
        };
        if quantity.as_constant().is_some_and(|number| number < 0.0) {
            self.fail(Code::ValueOutOfRange, *span, "a spread is not negative", "negative");
            return None;
        }
        if let Some(why) = quantity.as_constant().and_then(lost) {
            self.fail(Code::ValueOutOfRange, *span, "the spread is out of range", why);
            return None;
        }
        Some(quantity.amount.clone())
    }

    fn eps(&self, args: &Arguments<'a>, default: f64) -> Option<f64> {
        let eps = self.number_or(args, 1, default)?;
        if eps < 0.0 {
            self.fail(Code::ValueOutOfRange, args.values[1][0].1, "an eps is not negative", format!("this is {eps}"));
            return None;
        }
        Some(eps)
    }

    fn rows(&mut self, primitive: Primitive, args: &Arguments<'a>) -> Option<Tensor> {
        let x = self.floats(args, 0)?;
        if x.rank() == 0 {
            self.wrong_shapes(Code::WrongRank, "a row has an axis", &[&x], &[], args.span);
            return None;
        }
        self.same_shape(primitive, args)
    }

    fn same_shape(&mut self, primitive: Primitive, args: &Arguments<'a>) -> Option<Tensor> {
        let x = self.floats(args, 0)?;
        let axes: Vec<Axis> = x.axes.clone();
        Some(self.emit(primitive, &[&x], DType::F32, axes, args.span))
    }

    fn stream(&mut self) -> u32 {
        self.streams += 1;
        self.streams - 1
    }
}
