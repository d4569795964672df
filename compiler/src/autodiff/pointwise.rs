//! Gradients of the scalar functions. x and y are the operand and the result, g the gradient of the result.

use crate::graph::{Builder, Op, Value};
use crate::scalar::{Binary, Unary};

pub(super) fn unary(b: &mut Builder, function: Unary, x: Value, y: Value, g: Value) -> Option<Value> {
    let gradient = match function {
        Unary::Negate => b.unary(Unary::Negate, g),
        Unary::Absolute => absolute(b, x, g),
        Unary::Exp => b.multiply(g, y),
        Unary::Log => b.binary(Binary::Divide, g, x),
        Unary::Sqrt => sqrt(b, y, g),
        Unary::ReciprocalOrZero => reciprocal(b, y, g),
        Unary::Gelu => times_function(b, Unary::GeluDerivative, x, g),
        Unary::GeluDerivative => gelu_derivative(b, x, g),
        Unary::GeluTanh => times_function(b, Unary::GeluTanhDerivative, x, g),
        Unary::GeluTanhDerivative => gelu_tanh_derivative(b, x, g),
        Unary::Silu => times_function(b, Unary::SiluDerivative, x, g),
        Unary::SiluDerivative => silu_derivative(b, x, g),
        Unary::Relu => relu(b, x, g),
        Unary::Tanh => tanh(b, y, g),
        Unary::Sigmoid => sigmoid(b, y, g),
        Unary::Floor => return None,
    };
    Some(gradient)
}

pub(super) fn binary(b: &mut Builder, function: Binary, x: Value, z: Value, y: Value, g: Value) -> [Option<Value>; 2] {
    match function {
        Binary::Add => [Some(g), Some(g)],
        Binary::Subtract => [Some(g), Some(b.unary(Unary::Negate, g))],
        Binary::Multiply => [Some(b.multiply(g, z)), Some(b.multiply(g, x))],
        Binary::Divide => divide(b, z, y, g).map(Some),
        Binary::Power => power(b, x, z, y, g).map(Some),
        Binary::Maximum => choose(b, z, x, g).map(Some),
        Binary::Minimum => choose(b, x, z, g).map(Some),
        Binary::Less | Binary::LessOrEqual | Binary::Equal => [None, None],
    }
}

pub(super) fn select(b: &mut Builder, condition: Value, g: Value) -> [Option<Value>; 3] {
    let zero = b.like(g, 0.0);
    [None, Some(b.add(Op::Select, &[condition, g, zero])), Some(b.add(Op::Select, &[condition, zero, g]))]
}

/// |x|' = sign(x), 0 at 0.
fn absolute(b: &mut Builder, x: Value, g: Value) -> Value {
    let zero = b.like(x, 0.0);
    let [positive, negative] = [(zero, x), (x, zero)].map(|(a, c)| b.binary(Binary::Less, a, c));
    let sign = b.binary(Binary::Subtract, positive, negative);
    b.multiply(g, sign)
}

/// √x' = 1 / (2y).
fn sqrt(b: &mut Builder, y: Value, g: Value) -> Value {
    let half = b.scaled(g, 0.5);
    b.binary(Binary::Divide, half, y)
}

/// (1/x)' = −y², 0 where y is.
fn reciprocal(b: &mut Builder, y: Value, g: Value) -> Value {
    let once = b.multiply(g, y);
    let twice = b.multiply(once, y);
    b.unary(Unary::Negate, twice)
}

fn times_function(b: &mut Builder, derivative: Unary, x: Value, g: Value) -> Value {
    let slope = b.unary(derivative, x);
    b.multiply(g, slope)
}

/// (Φ + x·φ)' = φ·(2 − x²), φ(x) = exp(−x²/2) / √(2π).
fn gelu_derivative(b: &mut Builder, x: Value, g: Value) -> Value {
    let square = b.multiply(x, x);
    let exponent = b.scaled(square, -0.5);
    let exp = b.unary(Unary::Exp, exponent);
    let density = b.scaled(exp, 1.0 / (2.0 * std::f64::consts::PI).sqrt());
    let two = b.like(x, 2.0);
    let rest = b.binary(Binary::Subtract, two, square);
    let slope = b.multiply(density, rest);
    b.multiply(g, slope)
}

/// With u = c·(x + a·x³), c = √(2/π), a = 0.044715, and t = tanh u: the first derivative is (1 + t + x·(1 − t²)·u') / 2, so the second is
/// (1 − t²)·(u' + x·(u''/2 − t·u'²)).
fn gelu_tanh_derivative(b: &mut Builder, x: Value, g: Value) -> Value {
    let (a, c) = (0.044715, std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2);
    let square = b.multiply(x, x);
    let u = polynomial(b, square, c, c * a);
    let u = b.multiply(u, x);
    let slope = polynomial(b, square, c, 3.0 * c * a);
    let half_curvature = b.scaled(x, 3.0 * c * a);
    let t = b.unary(Unary::Tanh, u);
    let slope_squared = b.multiply(slope, slope);
    let bent = b.multiply(t, slope_squared);
    let inner = b.binary(Binary::Subtract, half_curvature, bent);
    let inner = b.multiply(x, inner);
    let sum = b.binary(Binary::Add, slope, inner);
    let one_minus_square = one_minus_square(b, t);
    let derivative = b.multiply(one_minus_square, sum);
    b.multiply(g, derivative)
}

/// constant + linear · x.
fn polynomial(b: &mut Builder, x: Value, constant: f64, linear: f64) -> Value {
    let scaled = b.scaled(x, linear);
    let constant = b.like(x, constant);
    b.binary(Binary::Add, constant, scaled)
}

/// (σ·(1 + x·(1 − σ)))' = σ·(1 − σ)·(2 + x·(1 − 2σ)).
fn silu_derivative(b: &mut Builder, x: Value, g: Value) -> Value {
    let s = b.unary(Unary::Sigmoid, x);
    let g = sigmoid(b, s, g);
    let tilt = polynomial(b, s, 1.0, -2.0);
    let bent = b.multiply(x, tilt);
    let two = b.like(x, 2.0);
    let factor = b.binary(Binary::Add, two, bent);
    b.multiply(g, factor)
}

/// 0 at 0.
fn relu(b: &mut Builder, x: Value, g: Value) -> Value {
    let zero = b.like(x, 0.0);
    let positive = b.binary(Binary::Less, zero, x);
    b.add(Op::Select, &[positive, g, zero])
}

/// tanh' = 1 − y².
fn tanh(b: &mut Builder, y: Value, g: Value) -> Value {
    let slope = one_minus_square(b, y);
    b.multiply(g, slope)
}

fn one_minus_square(b: &mut Builder, y: Value) -> Value {
    let square = b.multiply(y, y);
    let one = b.like(y, 1.0);
    b.binary(Binary::Subtract, one, square)
}

/// σ' = y·(1 − y).
fn sigmoid(b: &mut Builder, y: Value, g: Value) -> Value {
    let rest = polynomial(b, y, 1.0, -1.0);
    let slope = b.multiply(y, rest);
    b.multiply(g, slope)
}

/// y = x/z: g/z and −(g/z)·y.
fn divide(b: &mut Builder, z: Value, y: Value, g: Value) -> [Value; 2] {
    let dx = b.binary(Binary::Divide, g, z);
    let product = b.multiply(dx, y);
    [dx, b.unary(Unary::Negate, product)]
}

/// y = x^z: g·z·x^(z−1), 0 where z is; g·y·ln x, 0 where x is.
fn power(b: &mut Builder, x: Value, z: Value, y: Value, g: Value) -> [Value; 2] {
    let [zero, one] = [0.0, 1.0].map(|number| b.like(x, number));
    let lower = b.binary(Binary::Subtract, z, one);
    let slope = b.binary(Binary::Power, x, lower);
    let slope = b.multiply(z, slope);
    let dx = b.multiply(g, slope);
    let log = b.unary(Unary::Log, x);
    let slope = b.multiply(y, log);
    let dz = b.multiply(g, slope);
    [b.add(Op::Select, &[z, dx, zero]), b.add(Op::Select, &[x, dz, zero])]
}

/// The gradient goes where `less < more`; half of it where they are equal, and the rest to the other.
fn choose(b: &mut Builder, less: Value, more: Value, g: Value) -> [Value; 2] {
    let [below, at_most] = [Binary::Less, Binary::LessOrEqual].map(|f| b.binary(f, less, more));
    let sum = b.binary(Binary::Add, below, at_most);
    let share = b.scaled(sum, 0.5);
    let chosen = b.multiply(g, share);
    [chosen, b.binary(Binary::Subtract, g, chosen)]
}
