//! The scalar functions as polynomials, on one f32 or a register of them.
//!
//! Accuracy, against f64 over the whole range (the tests state and hold it): exp and log 1 ulp, tanh 2 ulp, sigmoid and SiLU 3 ulp, GELU
//! 1.6·10⁻⁷ of x. Results below the normal range are denormal numbers, not zero; NaN stays NaN.
//! A machine without multiply-add loses up to a hundred times that, where a polynomial or an exponent is large.

mod exponential;
mod hyperbolic;
mod logarithm;
mod logistic;
mod normal;
mod pieces;
mod power;

#[cfg(test)]
mod tests;

use crate::mlir::{Float, Value};
use tfc_compiler::precision::Precision;
use tfc_compiler::scalar::{Binary, Unary};

use exponential::exp;
pub use exponential::exp2_of_softmax;
pub use logarithm::log;

/// How near to its definition a function has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accuracy {
    /// As f32 allows; where a function vanishes, relative to what it is made of.
    F32,
    /// Beside products of bf16: an error that is well below what rounding the argument to bf16 makes, 2⁻⁹ · |x|, is not seen.
    Bf16,
}

impl From<Precision> for Accuracy {
    fn from(precision: Precision) -> Accuracy {
        match precision {
            Precision::F32 => Accuracy::F32,
            Precision::Bf16 => Accuracy::Bf16,
        }
    }
}

/// The scalar function of the graph, of the kernels and of the interpreter.
pub fn unary<'f, K: Float>(function: Unary, accuracy: Accuracy, x: Value<'f, K>) -> Value<'f, K> {
    match function {
        Unary::Negate => -x,
        Unary::Absolute => x.absolute(),
        Unary::Exp => exp(x),
        Unary::Log => log(x),
        Unary::Sqrt => x.square_root(),
        Unary::ReciprocalOrZero => reciprocal_or_zero(x),
        Unary::Gelu => normal::gelu(x, accuracy),
        Unary::GeluDerivative => normal::gelu_derivative(x, accuracy),
        Unary::GeluTanh => logistic::gelu_tanh(x),
        Unary::GeluTanhDerivative => logistic::gelu_tanh_derivative(x),
        Unary::Silu => logistic::silu(x),
        Unary::SiluDerivative => logistic::silu_derivative(x),
        Unary::Relu => x.or_at_least(x.constant(0.0)),
        Unary::Tanh => hyperbolic::tanh(x),
        Unary::Sigmoid => logistic::sigmoid(x),
        Unary::Floor => x.floor(),
    }
}

pub fn binary<'f, K: Float>(function: Binary, a: Value<'f, K>, b: Value<'f, K>) -> Value<'f, K> {
    let flag = |condition: Value<'f, K::Truth>| condition.select(a.constant(1.0), a.constant(0.0));
    match function {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        Binary::Power => power::power(a, b),
        Binary::Maximum => a.or_at_least(b),
        Binary::Minimum => a.or_at_most(b),
        Binary::Less => flag(a.less(b)),
        Binary::LessOrEqual => flag(a.at_most(b)),
        Binary::Equal => flag(a.equals(b)),
    }
}

/// 1/x; 0 for 0. Where 1/x is larger than 2¹²⁰, that: x is then all but denormal, its last bits are lost, and the products that follow
/// stay finite.
fn reciprocal_or_zero<K: Float>(x: Value<K>) -> Value<K> {
    let largest = x.constant(f32::from_bits((127 + 120) << 23));
    let reciprocal = (x.constant(1.0) / x).or_at_most(largest).or_at_least(-largest);
    x.equals(x.constant(0.0)).select(x.constant(0.0), reciprocal)
}

/// The polynomial with these coefficients, the highest power first (Horner).
fn polynomial<'f, K: Float>(x: Value<'f, K>, coefficients: &[f32]) -> Value<'f, K> {
    let highest = x.constant(coefficients[0]);
    coefficients[1..].iter().fold(highest, |sum, c| sum.times_plus(x, x.constant(*c)))
}
