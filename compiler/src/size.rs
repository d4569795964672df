//! Sizes: integer polynomials in symbols.
//!
//! What may vary without recompiling is a symbol: the batch, the sequence, the capacity of a key/value cache, and the number
//! of parameter tokens of every instance of a token group. A size is a sum of products of symbols with integer coefficients, kept
//! in a normal form, so two sizes are equal exactly when they are the same polynomial. It becomes a number only at run time,
//! by [`Size::eval`] on one number per symbol.

use std::fmt;
use std::ops::{Add, Mul, Sub};
use std::sync::Arc;

/// A number that is known only at run time; an index into [`Symbols`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(pub u32);

impl Symbol {
    /// Sequences in a micro-batch.
    pub const BATCH: Symbol = Symbol(0);
    /// Positions in a sequence, at most `context`.
    pub const SEQUENCE: Symbol = Symbol(1);
    /// Positions that a key/value cache can hold.
    pub const CAPACITY: Symbol = Symbol(2);
    /// First row and rows of the chunk that a [`crate::plan::Step::Chunks`] is at.
    pub const CHUNK_START: Symbol = Symbol(3);
    pub const CHUNK_ROWS: Symbol = Symbol(4);
}

/// What a symbol stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SymbolKind {
    Batch,
    Sequence,
    Capacity,
    ChunkStart,
    ChunkRows,
    /// The parameter tokens of one instance of a token group, by index into `Model::token_axes`.
    Tokens(usize),
}

/// The names of all symbols of one model, shared by all its graphs and plans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbols {
    entries: Arc<Vec<(String, SymbolKind)>>,
}

impl Default for Symbols {
    fn default() -> Self {
        let fixed = [
            ("batch", SymbolKind::Batch),
            ("sequence", SymbolKind::Sequence),
            ("capacity", SymbolKind::Capacity),
            ("chunk_start", SymbolKind::ChunkStart),
            ("chunk_rows", SymbolKind::ChunkRows),
        ];
        Symbols { entries: Arc::new(fixed.into_iter().map(|(name, kind)| (name.to_string(), kind)).collect()) }
    }
}

impl Symbols {
    /// Adds a symbol for the parameter tokens of one group instance, named like the path of the instance (`block.3.ffn`).
    pub fn add_tokens(&mut self, name: impl Into<String>, axis: usize) -> Symbol {
        Arc::make_mut(&mut self.entries).push((name.into(), SymbolKind::Tokens(axis)));
        Symbol(self.entries.len() as u32 - 1)
    }

    pub fn name(&self, symbol: Symbol) -> &str {
        &self.entries[symbol.0 as usize].0
    }

    pub fn kind(&self, symbol: Symbol) -> &SymbolKind {
        &self.entries[symbol.0 as usize].1
    }

    pub fn find(&self, name: &str) -> Option<Symbol> {
        self.entries.iter().position(|(n, _)| n == name).map(|i| Symbol(i as u32))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// An integer polynomial in symbols, in normal form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Size(Form);

/// Graphs and plans hold sizes in tens of thousands of places, most of them numbers: those allocate nothing, and a sum is shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Form {
    Number(i64),
    /// Sorted by product, each once, none with the coefficient 0, and not a number alone.
    Sum(Arc<[Term]>),
}

/// A product of sorted symbols, and its coefficient. The empty product is the number 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Term {
    product: Vec<Symbol>,
    coefficient: i64,
}

impl Default for Size {
    /// Zero.
    fn default() -> Size {
        Size::constant(0)
    }
}

impl Size {
    pub fn constant(value: i64) -> Size {
        Size(Form::Number(value))
    }

    pub fn symbol(symbol: Symbol) -> Size {
        Size::sum(vec![Term { product: vec![symbol], coefficient: 1 }])
    }

    /// The normal form of a sum of products.
    fn sum(mut terms: Vec<Term>) -> Size {
        terms.sort_by(|a, b| a.product.cmp(&b.product));
        terms.dedup_by(|later, kept| {
            let same = later.product == kept.product;
            if same {
                kept.coefficient = kept.coefficient.saturating_add(later.coefficient);
            }
            same
        });
        terms.retain(|term| term.coefficient != 0);
        match terms.as_slice() {
            [] => Size::constant(0),
            [Term { product, coefficient }] if product.is_empty() => Size::constant(*coefficient),
            _ => Size(Form::Sum(terms.into())),
        }
    }

    /// The terms in the order of their products; one without symbols for a number, none for zero.
    fn terms(&self) -> impl DoubleEndedIterator<Item = (&[Symbol], i64)> {
        let (number, sum): (_, &[Term]) = match &self.0 {
            Form::Number(value) => ((*value != 0).then_some(*value), &[]),
            Form::Sum(terms) => (None, terms),
        };
        let number = number.into_iter().map(|value| (&[] as &[Symbol], value));
        number.chain(sum.iter().map(|term| (term.product.as_slice(), term.coefficient)))
    }

    /// The number, if no symbol is left.
    pub fn as_constant(&self) -> Option<i64> {
        match &self.0 {
            Form::Number(value) => Some(*value),
            Form::Sum(_) => None,
        }
    }

    pub fn is_one(&self) -> bool {
        self.as_constant() == Some(1)
    }

    /// The symbol, if the size is nothing but one.
    pub fn as_symbol(&self) -> Option<Symbol> {
        match &self.0 {
            Form::Sum(terms) => match &**terms {
                [Term { product, coefficient: 1 }] if product.len() == 1 => Some(product[0]),
                _ => None,
            },
            Form::Number(_) => None,
        }
    }

    /// Every symbol that occurs, each once, in order.
    pub fn symbols(&self) -> Vec<Symbol> {
        let mut all: Vec<Symbol> = self.terms().flat_map(|(product, _)| product).copied().collect();
        all.sort();
        all.dedup();
        all
    }

    /// Whether a condition holds for every symbol that occurs.
    pub fn all_symbols(&self, holds: impl Fn(Symbol) -> bool) -> bool {
        self.terms().all(|(product, _)| product.iter().all(|symbol| holds(*symbol)))
    }

    /// The least it can be when every symbol is at least one.
    pub fn least(&self) -> i64 {
        let varies_down = self.terms().any(|(product, coefficient)| !product.is_empty() && coefficient < 0);
        if varies_down { i64::MIN } else { self.terms().fold(0, |sum: i64, (_, c)| sum.saturating_add(c)) }
    }

    /// How many numbers and symbols it is written with.
    pub fn weight(&self) -> usize {
        self.terms().map(|(product, _)| 1 + product.len()).sum()
    }

    /// The quotient by a polynomial of one term, if every term is divisible by it.
    pub fn checked_div(&self, divisor: &Size) -> Option<Size> {
        let mut terms = divisor.terms();
        let (product, coefficient) = terms.next()?;
        if terms.next().is_some() {
            return (self == divisor).then(|| Size::constant(1));
        }
        let mut quotient = Vec::new();
        for (term, value) in self.terms() {
            let mut rest = term.to_vec();
            for symbol in product {
                rest.remove(rest.iter().position(|s| s == symbol)?);
            }
            if value.checked_rem(coefficient)? != 0 {
                return None;
            }
            quotient.push(Term { product: rest, coefficient: value.checked_div(coefficient)? });
        }
        Some(Size::sum(quotient))
    }

    /// The number, given one number per symbol. Products that overflow saturate, so that an absurd size is refused as too
    /// large instead of wrapping to a small one.
    pub fn eval(&self, values: &SizeValues) -> i64 {
        let product = |symbols: &[Symbol], coefficient: i64| {
            symbols.iter().fold(coefficient, |p, s| p.saturating_mul(values.get(*s)))
        };
        self.terms().fold(0i64, |sum, (symbols, coefficient)| sum.saturating_add(product(symbols, coefficient)))
    }

    /// The size with every symbol replaced.
    pub fn substitute(&self, replace: &dyn Fn(Symbol) -> Size) -> Size {
        let product = |symbols: &[Symbol], c: i64| symbols.iter().fold(Size::constant(c), |p, s| p * replace(*s));
        self.terms().fold(Size::default(), |sum, (symbols, c)| sum + product(symbols, c))
    }

    pub fn product<'a>(sizes: impl IntoIterator<Item = &'a Size>) -> Size {
        sizes.into_iter().fold(Size::constant(1), |p, s| p * s.clone())
    }

    /// The size as text, with the names of the symbols: `2*batch*sequence + 1`.
    pub fn display<'a>(&'a self, symbols: &'a Symbols) -> impl fmt::Display + 'a {
        SizeText { size: self, symbols }
    }
}

impl From<i64> for Size {
    fn from(value: i64) -> Size {
        Size::constant(value)
    }
}

impl From<Symbol> for Size {
    fn from(symbol: Symbol) -> Size {
        Size::symbol(symbol)
    }
}

impl Add for Size {
    type Output = Size;
    fn add(self, other: Size) -> Size {
        match (&self.0, &other.0) {
            (Form::Number(a), Form::Number(b)) => Size::constant(a.saturating_add(*b)),
            (Form::Number(0), _) => other,
            (_, Form::Number(0)) => self,
            _ => {
                let term = |(product, coefficient): (&[Symbol], i64)| Term { product: product.to_vec(), coefficient };
                Size::sum(self.terms().chain(other.terms()).map(term).collect())
            }
        }
    }
}

impl Sub for Size {
    type Output = Size;
    fn sub(self, other: Size) -> Size {
        self + other * Size::constant(-1)
    }
}

impl Mul for Size {
    type Output = Size;
    fn mul(self, other: Size) -> Size {
        match (&self.0, &other.0) {
            (Form::Number(a), Form::Number(b)) => Size::constant(a.saturating_mul(*b)),
            (Form::Number(1), _) => other,
            (_, Form::Number(1)) => self,
            _ => {
                let product = |a: &[Symbol], b: &[Symbol]| {
                    let mut product = [a, b].concat();
                    product.sort();
                    product
                };
                let by = |(left, a): (&[Symbol], i64)| {
                    let term = |(right, b): (&[Symbol], i64)| Term {
                        product: product(left, right),
                        coefficient: a.saturating_mul(b),
                    };
                    other.terms().map(term).collect::<Vec<_>>()
                };
                Size::sum(self.terms().flat_map(by).collect())
            }
        }
    }
}

struct SizeText<'a> {
    size: &'a Size,
    symbols: &'a Symbols,
}

impl fmt::Display for SizeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.size.as_constant() == Some(0) {
            return write!(f, "0");
        }
        // Longest products first: `batch*sequence + 1` reads better than `1 + batch*sequence`.
        for (i, (product, coefficient)) in self.size.terms().rev().enumerate() {
            let sign = match (i, coefficient < 0) {
                (0, true) => "-",
                (0, false) => "",
                (_, true) => " - ",
                (_, false) => " + ",
            };
            let names: Vec<&str> = product.iter().map(|s| self.symbols.name(*s)).collect();
            let magnitude = coefficient.unsigned_abs();
            match (magnitude, names.is_empty()) {
                (_, true) => write!(f, "{sign}{magnitude}")?,
                (1, false) => write!(f, "{sign}{}", names.join("*"))?,
                (_, false) => write!(f, "{sign}{magnitude}*{}", names.join("*"))?,
            }
        }
        Ok(())
    }
}

/// One number per symbol: what turns sizes into numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeValues(Vec<i64>);

impl SizeValues {
    /// All symbols 1, except the chunk's start, which is 0.
    pub fn new(symbols: &Symbols) -> SizeValues {
        let mut values = vec![1; symbols.len()];
        values[Symbol::CHUNK_START.0 as usize] = 0;
        SizeValues(values)
    }

    pub fn get(&self, symbol: Symbol) -> i64 {
        self.0[symbol.0 as usize]
    }

    pub fn set(&mut self, symbol: Symbol, value: i64) {
        self.0[symbol.0 as usize] = value;
    }

    pub fn with(mut self, symbol: Symbol, value: i64) -> SizeValues {
        self.set(symbol, value);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_its_normal_form() {
        let mut symbols = Symbols::default();
        let n = Size::symbol(symbols.add_tokens("ffn", 0));
        let t = Size::symbol(Symbol::BATCH) * Size::symbol(Symbol::SEQUENCE);
        let size = (t.clone() + n.clone()) * Size::constant(2) - t.clone() - t.clone();
        assert_eq!(size, n.clone() + n.clone());
        assert_eq!((t.clone() * Size::constant(6)).checked_div(&Size::constant(4)), None);
        assert_eq!(
            (t.clone() * Size::constant(6)).checked_div(&Size::constant(2)),
            Some(t.clone() * Size::constant(3))
        );
        assert_eq!((t.clone() * n.clone()).checked_div(&t), Some(n.clone()));
        assert_eq!((t * n - Size::constant(3)).display(&symbols).to_string(), "batch*sequence*ffn - 3");
    }

    #[test]
    fn absurd_sizes_saturate() {
        let symbols = Symbols::default();
        let size = Size::symbol(Symbol::BATCH) * Size::symbol(Symbol::BATCH) * Size::constant(i64::MAX);
        assert_eq!(size.eval(&SizeValues::new(&symbols).with(Symbol::BATCH, 10)), i64::MAX);
    }
}
