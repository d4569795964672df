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

    /// The amount as text, sizes as `name` says: `2 / (12 * sqrt(n))`.
    pub fn display(&self, name: &dyn Fn(&Size) -> String) -> String {
        let both = |a: &Amount, op: &str, b: &Amount| format!("{} {op} {}", a.operand(name), b.operand(name));
        match self {
            Amount::Number(number) => number.to_string(),
            Amount::Size(size) => name(size),
            Amount::Sqrt(a) => format!("sqrt({})", a.display(name)),
            Amount::Negate(a) => format!("-{}", a.operand(name)),
            Amount::Add(a, b) => both(a, "+", b),
            Amount::Subtract(a, b) => both(a, "-", b),
            Amount::Multiply(a, b) => both(a, "*", b),
            Amount::Divide(a, b) => both(a, "/", b),
        }
    }

    /// In parentheses where it is more than one word.
    fn operand(&self, name: &dyn Fn(&Size) -> String) -> String {
        let text = self.display(name);
        match self {
            Amount::Number(_) | Amount::Size(_) | Amount::Sqrt(_) => text,
            Amount::Negate(_) | Amount::Add(..) | Amount::Subtract(..) | Amount::Multiply(..) | Amount::Divide(..) => {
                format!("({text})")
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_reads_as_it_is_written() {
        let number = |x| Box::new(Amount::Number(x));
        let sqrt = Box::new(Amount::Sqrt(Box::new(Amount::Size(Size::constant(768)))));
        let std = Amount::Divide(number(2.0), Box::new(Amount::Multiply(number(12.0), sqrt)));
        assert_eq!(std.display(&|_| "out".into()), "2 / (12 * sqrt(out))");
        assert_eq!(std.as_constant(), Some(2.0 / (12.0 * 768f64.sqrt())));
    }
}
