//! The arguments of a built-in, and what each must be.

use crate::check::elaborate::Elaborator;
use crate::check::elaborate::value::{Callable, Tensor, Value};
use crate::check::value::lost;
use crate::graph::DType;
use tfc_grammar::{Code, Diagnostic, Span, did_you_mean};

/// Evaluated arguments of a built-in, by formal.
#[derive(Debug)]
pub(in crate::check::elaborate) struct Arguments<'a> {
    pub values: Vec<Vec<(Value<'a>, Span)>>,
    pub span: Span,
}

impl<'a> Elaborator<'a> {
    /// The value of a formal that was given one.
    fn given<'v>(&self, args: &'v Arguments<'a>, index: usize) -> Option<&'v (Value<'a>, Span)> {
        args.values[index].first()
    }

    pub fn tensor(&self, args: &Arguments<'a>, index: usize) -> Option<Tensor> {
        self.as_tensor(self.given(args, index)?)
    }

    pub fn as_tensor(&self, (value, span): &(Value<'a>, Span)) -> Option<Tensor> {
        if let Value::Tensor(tensor) = value {
            return Some(tensor.clone());
        }
        self.wrong_kind(value, *span, "a tensor");
        None
    }

    /// A constant number, or `default` if none is given.
    pub fn number_or(&self, args: &Arguments<'a>, index: usize, default: f64) -> Option<f64> {
        let Some((value, span)) = self.given(args, index) else { return Some(default) };
        match value {
            Value::Amount(quantity) => match quantity.as_constant() {
                Some(number) => match lost(number) {
                    None => Some(number),
                    Some(why) => {
                        self.fail(Code::ValueOutOfRange, *span, format!("the number {number:e} is out of range"), why);
                        None
                    }
                },
                None => {
                    let message = format!("`{}` follows sizes that vary", self.amount_text(&quantity.amount));
                    self.fail(Code::NotConstant, *span, message, "a constant number is needed here");
                    None
                }
            },
            other => {
                self.wrong_kind(other, *span, "a number");
                None
            }
        }
    }

    /// A constant size, at least one.
    pub fn whole(&self, args: &Arguments<'a>, index: usize) -> Option<i64> {
        let number = self.number_or(args, index, f64::NAN)?;
        let (_, span) = self.given(args, index)?;
        crate::check::value::size(number, self.place(*span), self.names.report)
    }

    pub fn flag(&self, args: &Arguments<'a>, index: usize) -> Option<bool> {
        match self.given(args, index) {
            None => Some(false),
            Some((Value::Flag(flag), _)) => Some(*flag),
            Some((other, span)) => {
                self.wrong_kind(other, *span, "a flag");
                None
            }
        }
    }

    /// One of a few words, or the first if none is given.
    pub fn choice(&self, args: &Arguments<'a>, index: usize, words: &'static [&'static str]) -> Option<&'static str> {
        let Some((value, span)) = self.given(args, index) else { return words.first().copied() };
        let text = self.word_of(value);
        if let Some(word) = words.iter().find(|word| Some(**word) == text) {
            return Some(word);
        }
        self.unknown_option(value, *span, words);
        None
    }

    /// The text of a word; where one is needed, the name of a layer (`tanh`) is one.
    pub fn word_of<'v>(&self, value: &'v Value<'a>) -> Option<&'v str> {
        match value {
            Value::Word(word) => Some(&word.text),
            Value::Layer(closure) if closure.given.is_empty() => Some(match closure.callable {
                Callable::Builtin(builtin) => builtin.name(),
                Callable::Layer(layer) => &self.names.layers[layer].ast.name.text,
            }),
            Value::Layer(_)
            | Value::Tensor(_)
            | Value::Amount(_)
            | Value::Flag(_)
            | Value::Distribution(_)
            | Value::Window(_)
            | Value::Tuple(_)
            | Value::Error => None,
        }
    }

    pub fn unknown_option(&self, value: &Value<'a>, span: Span, words: &[&str]) {
        let Some(text) = self.word_of(value) else {
            return self.wrong_kind(value, span, &format!("one of {}", words.join(", ")));
        };
        let place = self.place(if let Value::Word(word) = value { word.span } else { span });
        let diagnostic = Diagnostic::new(Code::UnknownOption, format!("`{text}` is no option here"))
            .at(place, format!("expected one of {}", words.join(", ")));
        let diagnostic = match did_you_mean(text, words.iter().copied()) {
            Some(near) => diagnostic.suggest("there is a similar one", place, near),
            None => diagnostic,
        };
        self.report(diagnostic, span);
    }

    /// A tensor of real numbers.
    pub fn floats(&mut self, args: &Arguments<'a>, index: usize) -> Option<Tensor> {
        let tensor = self.tensor(args, index)?;
        self.of_dtype(tensor, DType::F32, args.values[index][0].1)
    }

    /// A tensor of ids.
    pub fn integers(&mut self, args: &Arguments<'a>, index: usize) -> Option<Tensor> {
        let tensor = self.tensor(args, index)?;
        self.of_dtype(tensor, DType::I32, args.values[index][0].1)
    }

    pub fn of_dtype(&self, tensor: Tensor, dtype: DType, span: Span) -> Option<Tensor> {
        if tensor.dtype == dtype {
            return Some(tensor);
        }
        let (needed, found) = match dtype {
            DType::F32 | DType::BF16 => ("real numbers are", "ids"),
            DType::I32 => ("ids are", "real numbers"),
        };
        self.fail(Code::WrongType, span, format!("{needed} needed here"), format!("this is a tensor of {found}"));
        None
    }
}
