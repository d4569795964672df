//! Arithmetic on amounts: numbers stay numbers, whole polynomials stay sizes, everything else is kept as it is written.

use super::value::{Quantity, group_of};
use crate::check::value::{Outcome, calculate};
use crate::model::Amount;
use crate::size::{Size, Symbol};
use tfc_grammar::Code;
use tfc_grammar::ast::BinaryOp;

pub(super) enum Computed {
    Amount(Amount),
    Flag(bool),
}

/// Amounts with more numbers and symbols than this are refused: nobody writes them, and sums of sums of sums grow without bound.
const HEAVIEST: usize = 200;

/// `left op right`, or the code and the message of what is wrong with it.
pub(super) fn combine(op: BinaryOp, left: &Quantity, right: &Quantity) -> Result<Computed, (Code, &'static str)> {
    let result = apply(op, left, right)?;
    match &result {
        Computed::Amount(amount) if weight(amount) > HEAVIEST => {
            Err((Code::SizeOverflow, "this expression of sizes is too long"))
        }
        Computed::Amount(_) | Computed::Flag(_) => Ok(result),
    }
}

fn apply(op: BinaryOp, left: &Quantity, right: &Quantity) -> Result<Computed, (Code, &'static str)> {
    if let (Some(a), Some(b)) = (left.as_constant(), right.as_constant()) {
        return Ok(computed(calculate(op, a, b)?));
    }
    let sizes = left.as_size().zip(right.as_size());
    if let Some(size) = sizes.as_ref().and_then(|(a, b)| polynomial(op, a, b)) {
        return Ok(Computed::Amount(Quantity::of(Amount::Size(size), None).amount));
    }
    let (a, b) = (Box::new(left.amount.clone()), Box::new(right.amount.clone()));
    Ok(Computed::Amount(match op {
        BinaryOp::Add => Amount::Add(a, b),
        BinaryOp::Subtract => Amount::Subtract(a, b),
        BinaryOp::Multiply => Amount::Multiply(a, b),
        BinaryOp::Divide if right.as_constant() == Some(0.0) => return Err((Code::DivisionByZero, "division by zero")),
        BinaryOp::Divide => Amount::Divide(a, b),
        BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual
        | BinaryOp::Equal
        | BinaryOp::NotEqual => {
            let undecided = (Code::NotConstant, "this comparison depends on sizes that vary");
            let difference = sizes.and_then(|(a, b)| (a - b).as_constant()).ok_or(undecided)?;
            return Ok(computed(calculate(op, difference as f64, 0.0)?));
        }
    }))
}

fn computed(outcome: Outcome) -> Computed {
    match outcome {
        Outcome::Number(number) => Computed::Amount(Amount::Number(number)),
        Outcome::Flag(flag) => Computed::Flag(flag),
    }
}

/// The operation on whole polynomials, where its result is one.
fn polynomial(op: BinaryOp, a: &Size, b: &Size) -> Option<Size> {
    match op {
        BinaryOp::Add => Some(a.clone() + b.clone()),
        BinaryOp::Subtract => Some(a.clone() - b.clone()),
        BinaryOp::Multiply => Some(a.clone() * b.clone()),
        BinaryOp::Divide => a.checked_div(b),
        BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual
        | BinaryOp::Equal
        | BinaryOp::NotEqual => None,
    }
}

/// The amount with every symbol replaced.
pub(super) fn substitute(amount: &Amount, replace: &dyn Fn(Symbol) -> Size) -> Amount {
    let one = |a: &Amount| Box::new(substitute(a, replace));
    match amount {
        Amount::Number(number) => Amount::Number(*number),
        Amount::Size(size) => Amount::Size(size.substitute(replace)),
        Amount::Sqrt(a) => Amount::Sqrt(one(a)),
        Amount::Negate(a) => Amount::Negate(one(a)),
        Amount::Add(a, b) => Amount::Add(one(a), one(b)),
        Amount::Subtract(a, b) => Amount::Subtract(one(a), one(b)),
        Amount::Multiply(a, b) => Amount::Multiply(one(a), one(b)),
        Amount::Divide(a, b) => Amount::Divide(one(a), one(b)),
    }
}

/// Every symbol that occurs, in the order of the text.
pub(super) fn symbols(amount: &Amount) -> Vec<Symbol> {
    match amount {
        Amount::Number(_) => Vec::new(),
        Amount::Size(size) => size.symbols(),
        Amount::Sqrt(a) | Amount::Negate(a) => symbols(a),
        Amount::Add(a, b) | Amount::Subtract(a, b) | Amount::Multiply(a, b) | Amount::Divide(a, b) => {
            [symbols(a), symbols(b)].concat()
        }
    }
}

/// How many numbers and symbols an amount is written with.
fn weight(amount: &Amount) -> usize {
    match amount {
        Amount::Number(_) => 1,
        Amount::Size(size) => size.weight(),
        Amount::Sqrt(a) | Amount::Negate(a) => 1 + weight(a),
        Amount::Add(a, b) | Amount::Subtract(a, b) | Amount::Multiply(a, b) | Amount::Divide(a, b) => {
            weight(a) + weight(b)
        }
    }
}

/// The token groups whose placeholders occur.
pub(super) fn groups(amount: &Amount) -> Vec<usize> {
    symbols(amount).into_iter().filter_map(group_of).collect()
}
