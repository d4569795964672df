//! The scalar functions: one vocabulary for pointwise graph operations, for the programs inside kernels, and for the
//! interpreter, whose f64 definitions here are what every back end is tested against.

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unary {
    Negate,
    Absolute,
    Exp,
    Log,
    Sqrt,
    /// 1/x, and 0 where x is 0; never infinite: at most the largest finite number, in f32 at most 2¹²⁰. The scale of a row whose norm is x.
    ReciprocalOrZero,
    /// x/2 · (1 + erf(x/√2)).
    Gelu,
    /// The derivative of [`Unary::Gelu`]: Φ(x) + x·φ(x).
    GeluDerivative,
    /// x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))).
    GeluTanh,
    GeluTanhDerivative,
    /// x · σ(x).
    Silu,
    SiluDerivative,
    Relu,
    Tanh,
    Sigmoid,
    Floor,
}

/// A function of two numbers. Comparisons give 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    /// The first where one of them is NaN.
    Maximum,
    /// The first where one of them is NaN.
    Minimum,
    Less,
    LessOrEqual,
    Equal,
}

impl Unary {
    pub const ALL: [Unary; 16] = [
        Unary::Negate,
        Unary::Absolute,
        Unary::Exp,
        Unary::Log,
        Unary::Sqrt,
        Unary::ReciprocalOrZero,
        Unary::Gelu,
        Unary::GeluDerivative,
        Unary::GeluTanh,
        Unary::GeluTanhDerivative,
        Unary::Silu,
        Unary::SiluDerivative,
        Unary::Relu,
        Unary::Tanh,
        Unary::Sigmoid,
        Unary::Floor,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Unary::Negate => "negate",
            Unary::Absolute => "absolute",
            Unary::Exp => "exp",
            Unary::Log => "log",
            Unary::Sqrt => "sqrt",
            Unary::ReciprocalOrZero => "reciprocal_or_zero",
            Unary::Gelu => "gelu",
            Unary::GeluDerivative => "gelu_derivative",
            Unary::GeluTanh => "gelu_tanh",
            Unary::GeluTanhDerivative => "gelu_tanh_derivative",
            Unary::Silu => "silu",
            Unary::SiluDerivative => "silu_derivative",
            Unary::Relu => "relu",
            Unary::Tanh => "tanh",
            Unary::Sigmoid => "sigmoid",
            Unary::Floor => "floor",
        }
    }

    /// The definition, in f64.
    pub fn eval(self, x: f64) -> f64 {
        match self {
            Unary::Negate => -x,
            Unary::Absolute => x.abs(),
            Unary::Exp => x.exp(),
            Unary::Log => x.ln(),
            Unary::Sqrt => x.sqrt(),
            Unary::ReciprocalOrZero => reciprocal_or_zero(x),
            Unary::Gelu => gelu(x),
            Unary::GeluDerivative => gelu_derivative(x),
            Unary::GeluTanh => gelu_tanh(x),
            Unary::GeluTanhDerivative => gelu_tanh_derivative(x),
            Unary::Silu => finite_below(x) * sigmoid(x),
            Unary::SiluDerivative => silu_derivative(x),
            Unary::Relu => or_at_least(x, 0.0),
            Unary::Tanh => x.tanh(),
            Unary::Sigmoid => sigmoid(x),
            Unary::Floor => x.floor(),
        }
    }
}

impl Binary {
    pub const ALL: [Binary; 10] = [
        Binary::Add,
        Binary::Subtract,
        Binary::Multiply,
        Binary::Divide,
        Binary::Power,
        Binary::Maximum,
        Binary::Minimum,
        Binary::Less,
        Binary::LessOrEqual,
        Binary::Equal,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Binary::Add => "add",
            Binary::Subtract => "subtract",
            Binary::Multiply => "multiply",
            Binary::Divide => "divide",
            Binary::Power => "power",
            Binary::Maximum => "maximum",
            Binary::Minimum => "minimum",
            Binary::Less => "less",
            Binary::LessOrEqual => "less_or_equal",
            Binary::Equal => "equal",
        }
    }

    /// The definition, in f64.
    pub fn eval(self, a: f64, b: f64) -> f64 {
        let flag = |condition: bool| if condition { 1.0 } else { 0.0 };
        match self {
            Binary::Add => a + b,
            Binary::Subtract => a - b,
            Binary::Multiply => a * b,
            Binary::Divide => a / b,
            Binary::Power => a.powf(b),
            Binary::Maximum => or_at_least(a, b),
            Binary::Minimum => or_at_most(a, b),
            Binary::Less => flag(a < b),
            Binary::LessOrEqual => flag(a <= b),
            Binary::Equal => flag(a == b),
        }
    }
}

fn reciprocal_or_zero(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { (1.0 / x).clamp(-f64::MAX, f64::MAX) }
}

/// The larger of the two; `a` where one of them is NaN.
fn or_at_least(a: f64, b: f64) -> f64 {
    if a < b { b } else { a }
}

/// The smaller of the two; `a` where one of them is NaN.
fn or_at_most(a: f64, b: f64) -> f64 {
    if b < a { b } else { a }
}

/// −∞ · 0 is not what is meant.
fn finite_below(x: f64) -> f64 {
    or_at_least(x, -f64::MAX)
}

/// Where the derivatives are 0 and 1 to the last bit, and x·0 is still 0.
fn bounded(x: f64) -> f64 {
    or_at_most(or_at_least(x, -1000.0), 1000.0)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn silu_derivative(x: f64) -> f64 {
    let x = bounded(x);
    sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x)))
}

fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// Φ(x) by erfc, which keeps its relative accuracy far below zero.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

fn gelu(x: f64) -> f64 {
    finite_below(x) * normal_cdf(x)
}

fn gelu_derivative(x: f64) -> f64 {
    let x = bounded(x);
    normal_cdf(x) + x * normal_density(x)
}

const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;

fn gelu_tanh_inner(x: f64) -> f64 {
    SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)
}

fn gelu_tanh(x: f64) -> f64 {
    let x = finite_below(x);
    0.5 * x * (1.0 + gelu_tanh_inner(x).tanh())
}

fn gelu_tanh_derivative(x: f64) -> f64 {
    let x = bounded(x);
    let t = gelu_tanh_inner(x).tanh();
    let slope = SQRT_2_OVER_PI * (1.0 + 3.0 * 0.044715 * x * x);
    0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_reached_and_nan_stays() {
        let infinity = f64::INFINITY;
        for function in Unary::ALL {
            let [below, at_zero, above] = match function {
                Unary::Negate => [infinity, 0.0, -infinity],
                Unary::Absolute => [infinity, 0.0, infinity],
                Unary::Exp => [0.0, 1.0, infinity],
                Unary::Log => [f64::NAN, -infinity, infinity],
                Unary::Sqrt => [f64::NAN, 0.0, infinity],
                Unary::ReciprocalOrZero => [0.0; 3],
                Unary::Gelu | Unary::GeluTanh | Unary::Silu | Unary::Relu => [0.0, 0.0, infinity],
                Unary::GeluDerivative | Unary::GeluTanhDerivative | Unary::SiluDerivative | Unary::Sigmoid => {
                    [0.0, 0.5, 1.0]
                }
                Unary::Tanh => [-1.0, 0.0, 1.0],
                Unary::Floor => [-infinity, 0.0, infinity],
            };
            let limits = [(-infinity, below), (-0.0, at_zero), (0.0, at_zero), (infinity, above), (f64::NAN, f64::NAN)];
            for (x, limit) in limits {
                let y = function.eval(x);
                assert!(y == limit || y.is_nan() && limit.is_nan(), "{}({x}) = {y}, not {limit}", function.name());
            }
        }
    }

    #[test]
    fn the_larger_and_the_smaller_of_nan_and_a_number_is_the_first() {
        for function in [Binary::Maximum, Binary::Minimum] {
            assert!(function.eval(f64::NAN, 1.0).is_nan());
            assert_eq!(function.eval(1.0, f64::NAN), 1.0);
        }
    }
}
