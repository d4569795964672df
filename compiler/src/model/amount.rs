//! Amounts: real expressions over sizes, such as `sqrt(n)` or `2 / (L * sqrt(out))`.

use crate::size::{Size, SizeValues};

#[derive(Clone, Debug, PartialEq)]
pub enum Amount {
    Number(f64),
    Size(Size),
    Sqrt(Box<Amount>),
    Negate(Box<Amount>),
    Add(Box<Amount>, Box<Amount>),
    Subtract(Box<Amount>, Box<Amount>),
    Multiply(Box<Amount>, Box<Amount>),
    Divide(Box<Amount>, Box<Amount>),
}

impl Amount {
    pub fn eval(&self, sizes: &SizeValues) -> f64 {
        match self {
            Amount::Number(number) => *number,
            Amount::Size(size) => size.eval(sizes) as f64,
            Amount::Sqrt(a) => a.eval(sizes).sqrt(),
            Amount::Negate(a) => -a.eval(sizes),
            Amount::Add(a, b) => a.eval(sizes) + b.eval(sizes),
            Amount::Subtract(a, b) => a.eval(sizes) - b.eval(sizes),
            Amount::Multiply(a, b) => a.eval(sizes) * b.eval(sizes),
            Amount::Divide(a, b) => a.eval(sizes) / b.eval(sizes),
        }
    }

    /// The number, if no size that can change is in it.
    pub fn as_constant(&self) -> Option<f64> {
        let both = |a: &Amount, b: &Amount| Some((a.as_constant()?, b.as_constant()?));
        match self {
            Amount::Number(number) => Some(*number),
            Amount::Size(size) => size.as_constant().map(|n| n as f64),
            Amount::Sqrt(a) => a.as_constant().map(f64::sqrt),
            Amount::Negate(a) => a.as_constant().map(|x| -x),
            Amount::Add(a, b) => both(a, b).map(|(x, y)| x + y),
            Amount::Subtract(a, b) => both(a, b).map(|(x, y)| x - y),
            Amount::Multiply(a, b) => both(a, b).map(|(x, y)| x * y),
            Amount::Divide(a, b) => both(a, b).map(|(x, y)| x / y),
        }
    }
}
