//! The scalar functions, each on its domain and away from its corners; the corners by themselves.

use super::*;
use crate::scalar::{Binary, Unary};

/// Where a function is smooth.
fn domain(function: Unary) -> (f64, f64) {
    match function {
        Unary::Log | Unary::Sqrt => (0.5, 3.0),
        Unary::ReciprocalOrZero => (-2.0, -0.5),
        Unary::Absolute | Unary::Relu => (-1.5, -0.1),
        Unary::Floor => (0.1, 0.9),
        Unary::Negate
        | Unary::Exp
        | Unary::Gelu
        | Unary::GeluDerivative
        | Unary::GeluTanh
        | Unary::GeluTanhDerivative
        | Unary::Silu
        | Unary::SiluDerivative
        | Unary::Tanh
        | Unary::Sigmoid => (-3.0, 3.0),
    }
}

#[test]
fn every_function_of_one_number() {
    for function in Unary::ALL {
        let (low, high) = domain(function);
        for (low, high) in [(low, high), (low.abs(), low.abs() + 0.5)] {
            let (low, high) = if function == Unary::Floor { (0.1, 0.9) } else { (low, high) };
            let x = between(low, high, &noise(0, &[3, 5]));
            check(function.name(), &[&x], |b, x| b.unary(function, x[0]));
        }
    }
}

#[test]
fn every_function_of_two_numbers() {
    for function in Binary::ALL {
        // Far enough apart that a step of the difference does not change which is larger.
        let a = between(0.5, 2.0, &noise(0, &[4, 3]));
        let far = |(a, sign): (&f64, &f64)| if *sign < 0.0 { a - 0.3 } else { a + 0.3 };
        let b = a.floats().iter().zip(noise(1, &[4, 3]).floats()).map(far).collect();
        let b = Tensor::f32(vec![4, 3], b);
        check(function.name(), &[&a, &b], |g, x| g.binary(function, x[0], x[1]));
        check(function.name(), &[&a], |g, x| g.binary(function, x[0], x[0]));
    }
}

#[test]
fn select_takes_the_side_that_was_chosen() {
    let condition = Tensor::f32(vec![4], vec![1.0, 0.0, -2.0, 0.0]);
    check("select", &[&noise(0, &[4]), &noise(1, &[4])], |b, x| {
        let data = b.iota(0, sizes(&[4]));
        let two = b.like(data, 2.0);
        let condition = b.binary(Binary::Less, data, two);
        b.add(Op::Select, &[condition, x[0], x[1]])
    });
    let mut b = Builder::new("condition", Symbols::default());
    let c = b.input("c", type_of(&condition));
    let y = b.add(Op::Select, &[c, c, c]);
    let loss = b.total(y);
    let seed = b.constant(1.0, Type::f32(vec![]));
    let gradient = super::super::differentiate(&mut b, loss, seed, &[c]);
    b.output("gradient", gradient[0]);
    assert_eq!(outputs(&b.finish(), &[&condition])[0].floats(), [1.0; 4]);
}

/// The gradient of f at one point.
fn slope(x: f64, build: impl Fn(&mut Builder, Value) -> Value) -> f64 {
    let mut b = Builder::new("slope", Symbols::default());
    let ty = Type::f32(vec![]);
    let value = b.input("x", ty.clone());
    let y = build(&mut b, value);
    let seed = b.constant(1.0, ty);
    let gradient = super::super::differentiate(&mut b, y, seed, &[value]);
    b.output("gradient", gradient[0]);
    outputs(&b.finish(), &[&Tensor::scalar(x)])[0].floats()[0]
}

#[test]
fn corners() {
    for function in [Unary::Absolute, Unary::Relu, Unary::ReciprocalOrZero, Unary::Floor] {
        assert_eq!(slope(0.0, |b, x| b.unary(function, x)), 0.0, "{function:?}");
    }
    for function in [Binary::Maximum, Binary::Minimum] {
        let with_zero = |b: &mut Builder, x| {
            let zero = b.like(x, 0.0);
            b.binary(function, x, zero)
        };
        assert_eq!(slope(0.0, with_zero), 0.5, "{function:?}");
    }
    let power = |exponent: f64| {
        move |b: &mut Builder, x| {
            let exponent = b.like(x, exponent);
            b.binary(Binary::Power, x, exponent)
        }
    };
    assert_eq!(slope(0.0, power(2.0)), 0.0);
    assert_eq!(slope(0.0, power(0.0)), 0.0);
    assert_eq!(slope(0.0, power(1.0)), 1.0);
    assert_eq!(slope(-3.0, power(2.0)), -6.0);
    let zero_to_the = |b: &mut Builder, x| {
        let zero = b.like(x, 0.0);
        b.binary(Binary::Power, zero, x)
    };
    assert_eq!(slope(2.0, zero_to_the), 0.0);
}
