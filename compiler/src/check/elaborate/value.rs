//! What an expression of a layer stands for while the model is elaborated.

use super::frame::Frame;
use super::instance::InstanceId;
use crate::graph::DType;
use crate::model::{Amount, ValueId, ValueType};
use crate::size::{Size, Symbol};
use std::rc::Rc;
use tfc_grammar::Span;
use tfc_grammar::ast::Arg;

#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Tensor(Tensor),
    /// A number, a size, or arithmetic on them; [`Amount::Number`] exactly where it is constant.
    Amount(Quantity),
    Flag(bool),
    /// A name that nothing defines: an option such as `causal`, or a mistake.
    Word(Word<'a>),
    Layer(Rc<Closure<'a>>),
    Distribution(Distribution),
    /// `window(n)`: a mask for attention.
    Window(u32),
    Tuple(Vec<Field<'a>>),
    /// What was reported already; whoever meets it stays silent.
    Error,
}

#[derive(Clone, Debug)]
pub(super) struct Tensor {
    pub id: ValueId,
    pub dtype: DType,
    pub axes: Vec<Axis>,
    /// The call that its binding is named after: what `tied` and `binding.weight` refer to.
    pub owner: Option<InstanceId>,
}

/// A size of a tensor, and where that size was declared.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub size: Size,
    pub origin: Option<Span>,
}

/// An amount in which a token group is a placeholder symbol: which instance's tokens are meant is decided where the amount is used.
#[derive(Clone, Debug)]
pub(super) struct Quantity {
    pub amount: Amount,
    pub origin: Option<Span>,
}

#[derive(Clone, Debug)]
pub(super) struct Word<'a> {
    pub text: String,
    pub span: Span,
    /// The names it was written among: it may have been meant to be one of them.
    pub frame: Frame<'a>,
}

#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    pub name: Option<&'a str>,
    pub value: Value<'a>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub(super) enum Distribution {
    Normal {
        std: Amount,
    },
    /// `uniform(bound)` is symmetric; `uniform(low, high)` is not.
    Uniform {
        low: Option<Amount>,
        high: Amount,
    },
}

/// A layer, with the arguments that were given to it where it was named: `l2_gelu(scale = sqrt(active))`. They are evaluated when
/// it is called.
#[derive(Clone, Debug)]
pub(super) struct Closure<'a> {
    pub callable: Callable,
    pub given: Vec<Given<'a>>,
}

impl Closure<'_> {
    pub fn bare(callable: Callable) -> Self {
        Closure { callable, given: Vec::new() }
    }
}

/// What can be called by name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Callable {
    Layer(usize),
    Builtin(super::builtin::Builtin),
}

/// Arguments with the names they were written among.
#[derive(Clone, Debug)]
pub(super) struct Given<'a> {
    pub args: &'a [Arg],
    pub frame: Frame<'a>,
    /// Names that the arguments may use besides: the parameter's annotation `layer(n, active)` lists them.
    pub sees: Vec<&'a str>,
}

impl Value<'_> {
    pub fn number(value: f64, origin: Option<Span>) -> Value<'static> {
        Value::Amount(Quantity { amount: Amount::Number(value), origin })
    }

    pub fn size(size: Size, origin: Option<Span>) -> Value<'static> {
        Value::Amount(Quantity::of(Amount::Size(size), origin))
    }

    /// The word `none`: an optional argument left out.
    pub fn is_none(&self) -> bool {
        matches!(self, Value::Word(word) if word.text == "none")
    }

    /// What kind of thing it is, for messages.
    pub fn describe(&self) -> String {
        match self {
            Value::Tensor(_) => "a tensor".into(),
            Value::Amount(quantity) => match quantity.as_constant() {
                Some(number) => format!("the number {number}"),
                None => "a size".into(),
            },
            Value::Flag(flag) => format!("the flag `{flag}`"),
            Value::Word(word) => format!("the word `{}`", word.text),
            Value::Layer(_) => "a layer".into(),
            Value::Distribution(_) => "a distribution".into(),
            Value::Window(_) => "an attention mask".into(),
            Value::Tuple(_) => "a tuple".into(),
            Value::Error => "an error".into(),
        }
    }
}

impl Quantity {
    /// With a constant size as the number it is.
    pub fn of(amount: Amount, origin: Option<Span>) -> Quantity {
        let amount = match amount.as_constant() {
            Some(number) => Amount::Number(number),
            None => amount,
        };
        Quantity { amount, origin }
    }

    pub fn as_constant(&self) -> Option<f64> {
        if let Amount::Number(number) = self.amount { Some(number) } else { None }
    }

    /// As a size, if it is a whole polynomial.
    pub fn as_size(&self) -> Option<Size> {
        if let Amount::Size(size) = &self.amount {
            return Some(size.clone());
        }
        let number = self.as_constant()?;
        let whole = number.fract() == 0.0 && number.abs() <= crate::check::value::LARGEST;
        whole.then(|| Size::constant(number as i64))
    }
}

impl Tensor {
    pub fn ty(&self) -> ValueType {
        ValueType { dtype: self.dtype, shape: self.shape() }
    }

    pub fn shape(&self) -> Vec<Size> {
        self.axes.iter().map(|axis| axis.size.clone()).collect()
    }

    pub fn rank(&self) -> usize {
        self.axes.len()
    }
}

/// No model has half as many symbols as there are numbers: the upper ones are placeholders.
const PLACEHOLDERS: u32 = u32::MAX / 2;

/// The placeholder of a token group, of which no instance has been chosen yet.
pub(super) fn placeholder(group: usize) -> Symbol {
    Symbol(PLACEHOLDERS + group as u32)
}

/// The group that a placeholder stands for.
pub(super) fn group_of(symbol: Symbol) -> Option<usize> {
    symbol.0.checked_sub(PLACEHOLDERS).map(|group| group as usize)
}

/// The sizes alone.
pub(super) fn sizes(axes: &[Axis]) -> Vec<Size> {
    axes.iter().map(|axis| axis.size.clone()).collect()
}
