//! Adds to the program: primitives with their types, sizes as the symbols they become, numbers as scalars.

use super::amount::{groups, substitute, symbols};
use super::value::{Axis, Quantity, Tensor, Value, placeholder};
use super::{Elaborator, MOST_VALUES, Scale, TokenAxis};
use crate::check::value::{self, LARGEST};
use crate::graph::DType;
use crate::model::{Amount, Application, Primitive, ValueId};
use crate::scalar::{Binary, Unary};
use crate::size::{Size, Symbol, SymbolKind};
use tfc_grammar::{Code, Span};

/// A tensor of more axes than this is refused.
const MOST_AXES: usize = 8;

impl<'a> Elaborator<'a> {
    /// Applies a primitive.
    pub fn emit(
        &mut self,
        primitive: Primitive,
        operands: &[&Tensor],
        dtype: DType,
        axes: Vec<Axis>,
        span: Span,
    ) -> Tensor {
        let id = ValueId(self.values.len() as u32);
        let tensor = Tensor { id, dtype, axes, owner: None };
        if self.values.len() == MOST_VALUES {
            let message = format!("the model has more than {MOST_VALUES} operations");
            self.stop(Code::SizeOverflow, span, message, "at the latest here");
        }
        if self.elements(&tensor.axes) > LARGEST as i64 {
            let message = format!("a tensor {} is too large", self.shape_text(&tensor));
            self.stop(Code::SizeOverflow, span, message, "more than 2^53 elements");
        }
        if tensor.rank() > MOST_AXES {
            self.stop(Code::WrongRank, span, format!("a tensor has at most {MOST_AXES} axes"), "one more here");
        }
        self.values.push(Application {
            primitive,
            operands: operands.iter().map(|operand| operand.id).collect(),
            ty: tensor.ty(),
            span: self.place(span),
            path: String::new(),
        });
        self.instance_of.push(self.instance);
        tensor
    }

    /// The elements of a tensor for one sequence of full length and the tokens of the first stage.
    fn elements(&self, axes: &[Axis]) -> i64 {
        axes.iter().fold(1i64, |product, axis| product.saturating_mul(self.estimate(&axis.size).saturating_abs()))
    }

    /// The number a size has for one sequence of full length and the tokens of the first stage.
    pub fn estimate(&self, size: &Size) -> i64 {
        let number = |symbol: Symbol| match self.symbols.kind(symbol) {
            SymbolKind::Tokens(axis) => self.tokens[self.token_axes[*axis].group],
            SymbolKind::Sequence => self.context.unwrap_or(1),
            SymbolKind::Batch | SymbolKind::Capacity | SymbolKind::ChunkStart | SymbolKind::ChunkRows => 1,
        };
        size.substitute(&|symbol| Size::constant(number(symbol))).as_constant().unwrap_or(i64::MAX)
    }

    /// An amount with its token groups as the tokens of the repeat instance at hand.
    pub fn resolve(&mut self, amount: &Amount) -> Amount {
        let resolved: Vec<(usize, Symbol)> =
            groups(amount).into_iter().map(|group| (group, self.tokens_here(group))).collect();
        substitute(amount, &|symbol| {
            let found = resolved.iter().find(|(group, _)| placeholder(*group) == symbol);
            Size::symbol(found.map_or(symbol, |(_, axis)| *axis))
        })
    }

    /// The symbol of a group's tokens in the innermost repeat instance.
    fn tokens_here(&mut self, group: usize) -> Symbol {
        let repeat = self.instances.repeat_around(self.instance);
        if let Some(axis) = self.axis_of.get(&(group, repeat)) {
            return self.token_axes[*axis].symbol;
        }
        let axis = self.token_axes.len();
        let symbol = self.symbols.add_tokens(self.names.groups[group].name(), axis);
        self.token_axes.push(TokenAxis { symbol, group, repeat });
        self.axis_of.insert((group, repeat), axis);
        self.instances.hold(repeat);
        symbol
    }

    /// Which token axis a symbol stands for.
    pub fn axis_of_symbol(&self, symbol: Symbol) -> Option<usize> {
        match self.symbols.kind(symbol) {
            SymbolKind::Tokens(axis) => Some(*axis),
            SymbolKind::Batch
            | SymbolKind::Sequence
            | SymbolKind::Capacity
            | SymbolKind::ChunkStart
            | SymbolKind::ChunkRows => None,
        }
    }

    /// A value as a size of a tensor; anything else is reported.
    pub fn dimension(&mut self, value: &Value<'a>, span: Span) -> Option<Axis> {
        let Value::Amount(Quantity { amount, origin }) = value else {
            self.wrong_kind(value, span, "a size");
            return None;
        };
        let origin = origin.or(Some(span));
        if let Amount::Number(number) = amount {
            let size = Size::constant(value::size(*number, self.place(span), self.names.report)?);
            return Some(Axis { size, origin });
        }
        let resolved = Quantity::of(self.resolve(amount), origin);
        let Some(size) = resolved.as_size() else {
            let message = format!("`{}` is not always a whole number", self.amount_text(amount));
            self.fail(Code::NotAnInteger, span, message, "needed as a size");
            return None;
        };
        Some(Axis { size, origin })
    }

    /// A number as a scalar tensor.
    pub fn number(&mut self, number: f64, span: Span) -> Tensor {
        if let Some(why) = value::lost(number) {
            self.fail(Code::ValueOutOfRange, span, format!("the number {number:e} is out of range"), why);
        }
        self.emit(Primitive::Number(number), &[], DType::F32, Vec::new(), span)
    }

    /// An amount as a scalar tensor. A factor that follows tokens is a scale, known by `name`; other amounts that vary are computed.
    pub fn scalar(&mut self, quantity: &Quantity, name: &str, is_factor: bool, span: Span) -> Tensor {
        let amount = self.resolve(&quantity.amount);
        let symbols = symbols(&amount);
        if is_factor && !symbols.is_empty() && symbols.iter().all(|symbol| self.axis_of_symbol(*symbol).is_some()) {
            let scale = self.scale(name, amount, span);
            return self.emit(Primitive::Scale(scale), &[], DType::F32, Vec::new(), span);
        }
        self.computed(&amount, span)
    }

    fn scale(&mut self, name: &str, rule: Amount, span: Span) -> usize {
        let instance = self.instance;
        let same = |s: &Scale| s.instance == instance && s.name == name && s.rule == rule;
        let recent = self.scales.iter().enumerate().rev().take_while(|(_, s)| s.instance >= instance);
        if let Some((known, _)) = recent.into_iter().find(|(_, s)| same(s)) {
            return known;
        }
        self.scales.push(Scale { instance, name: name.to_string(), rule, span: self.place(span) });
        self.scales.len() - 1
    }

    fn computed(&mut self, amount: &Amount, span: Span) -> Tensor {
        match amount {
            Amount::Number(number) => self.number(*number, span),
            Amount::Size(size) => self.emit(Primitive::Size(size.clone()), &[], DType::F32, Vec::new(), span),
            Amount::Sqrt(a) => self.computed_unary(Unary::Sqrt, a, span),
            Amount::Negate(a) => self.computed_unary(Unary::Negate, a, span),
            Amount::Add(a, b) => self.computed_binary(Binary::Add, a, b, span),
            Amount::Subtract(a, b) => self.computed_binary(Binary::Subtract, a, b, span),
            Amount::Multiply(a, b) => self.computed_binary(Binary::Multiply, a, b, span),
            Amount::Divide(a, b) => self.computed_binary(Binary::Divide, a, b, span),
        }
    }

    fn computed_unary(&mut self, function: Unary, a: &Amount, span: Span) -> Tensor {
        let a = self.computed(a, span);
        self.emit(Primitive::Unary(function), &[&a], DType::F32, Vec::new(), span)
    }

    fn computed_binary(&mut self, function: Binary, a: &Amount, b: &Amount, span: Span) -> Tensor {
        let (a, b) = (self.computed(a, span), self.computed(b, span));
        self.emit(Primitive::Binary(function), &[&a, &b], DType::F32, Vec::new(), span)
    }
}
