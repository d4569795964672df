//! Every scalar function against its f64 definition, over its whole range.

use super::{Accuracy, binary, exp2_of_softmax, unary};
use crate::testing::{Buffer, Jit, all_vectors};
use crate::vectors::Vectors;
use tfc_compiler::scalar::{Binary, Unary};

/// How far a result may be from the truth, relative to it. Beside that, what rounding to a denormal number loses is allowed.
fn tolerance(function: Unary, x: f64) -> f64 {
    match function {
        Unary::Negate | Unary::Absolute | Unary::Relu | Unary::Floor => 0.0,
        Unary::Sqrt | Unary::ReciprocalOrZero => 0.5 * ULP,
        Unary::Exp | Unary::Log => ULP,
        Unary::Tanh => 2.0 * ULP,
        Unary::Sigmoid => 2.5 * ULP,
        Unary::Silu => 3.0 * ULP,
        Unary::Gelu => 2.4 * ULP,
        // The rounding error of the exponent, a cubic, is multiplied by its magnitude.
        Unary::GeluTanh => (4.0 + 2.0 * x.abs() + 0.15 * x.abs().powi(3)) * ULP,
        // These cross zero: see `scale`.
        Unary::GeluDerivative | Unary::SiluDerivative | Unary::GeluTanhDerivative => 4.0 * ULP,
    }
}

const ULP: f64 = 1.2e-7;
/// The product of a denormal number, rounded to this, and another.
const LAST_DENORMAL: f64 = 1.5e-45;

fn compile(vectors: Vectors, functions: &[Unary]) -> Jit {
    Jit::new(vectors, |emission| {
        for function in functions {
            emission.kernel(function.name(), |f, launch| {
                let [x, y] = [0, 1].map(|i| launch.buffers.load_pointer(i));
                let width = f.vectors().width as i64;
                f.each(launch.begin, launch.end, width, |i| {
                    y.store_vector(i, unary(*function, Accuracy::F32, x.load_vector(i)))
                });
            });
            emission.kernel(&format!("{}_scalar", function.name()), |f, launch| {
                let [x, y] = [0, 1].map(|i| launch.buffers.load_pointer(i));
                f.each(launch.begin, launch.end, 1, |i| y.store(i, unary(*function, Accuracy::F32, x.load(i))));
            });
        }
    })
}

/// About a million numbers: every exponent of both signs, and evenly where functions bend.
fn points() -> Vec<f32> {
    let spread = (0..1u32 << 19).map(|i| f32::from_bits(i << 13 | (i.wrapping_mul(0x9E37_79B9) >> 19)));
    let even = (0..1u32 << 19).map(|i| (i as f32 / (1 << 19) as f32 - 0.5) * 40.0);
    spread.chain(even).filter(|x| x.is_finite()).collect()
}

fn padded(mut x: Vec<f32>) -> Vec<f32> {
    x.resize(x.len().next_multiple_of(16), 1.0);
    x
}

fn evaluate(jit: &Jit, name: &str, x: &[f32]) -> Vec<f32> {
    let mut x = padded(x.to_vec());
    let mut y = vec![0.0; x.len()];
    let items = 0..x.len() as i64;
    jit.run(name, &mut [Buffer::F32(&mut x), Buffer::F32(&mut y)], &[], items, 0);
    y
}

/// The definition, also where its f64 formula cancels or overflows.
fn truth(function: Unary, x: f64) -> f64 {
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let inner = 2.0 * (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
    match function {
        Unary::GeluTanh => x * sigmoid(inner),
        Unary::ReciprocalOrZero => function.eval(x).clamp(-(2f64.powi(120)), 2f64.powi(120)),
        Unary::Negate
        | Unary::Absolute
        | Unary::Exp
        | Unary::Log
        | Unary::Sqrt
        | Unary::Gelu
        | Unary::GeluDerivative
        | Unary::GeluTanhDerivative
        | Unary::Silu
        | Unary::SiluDerivative
        | Unary::Relu
        | Unary::Tanh
        | Unary::Sigmoid
        | Unary::Floor => function.eval(x),
    }
}

/// What the tolerance is relative to: the result, but near a derivative's zero its summands.
fn scale(function: Unary, x: f64, result: f64) -> f64 {
    match function {
        Unary::Gelu => x.max(-5.2).abs(),
        Unary::GeluDerivative => 1.0,
        Unary::SiluDerivative | Unary::GeluTanhDerivative => {
            result.abs().max((x.abs() + 1.0) * 1.0f64.min((-x.abs()).exp()))
        }
        _ => result.abs(),
    }
}

#[test]
fn unary_functions_are_accurate() {
    let points = points();
    for vectors in all_vectors() {
        let jit = compile(vectors, &Unary::ALL);
        let slack = if vectors.fma { 1.0 } else { 100.0 };
        for function in Unary::ALL {
            for (x, y) in points.iter().zip(evaluate(&jit, function.name(), &points)) {
                let want = truth(function, f64::from(*x));
                let close = if want.is_nan() {
                    y.is_nan()
                } else if want.abs() > f64::from(f32::MAX) {
                    y.abs() >= f32::MAX
                } else {
                    let allowed = slack * tolerance(function, f64::from(*x)) * scale(function, f64::from(*x), want);
                    let allowed = allowed + LAST_DENORMAL * f64::from(x.abs()).max(1.0);
                    (f64::from(y) - want).abs() <= allowed
                };
                assert!(close, "{}({x:e}) = {y:e} at width {}, not {want:e}", function.name(), vectors.width);
            }
        }
    }
}

#[test]
fn one_number_and_a_register_of_them_agree() {
    let jit = compile(Vectors::host(), &Unary::ALL);
    let points: Vec<f32> = points().into_iter().step_by(101).collect();
    for function in Unary::ALL {
        let [scalars, vectors] = [format!("{}_scalar", function.name()), function.name().to_string()]
            .map(|name| evaluate(&jit, &name, &points));
        for ((x, a), b) in points.iter().zip(scalars).zip(vectors) {
            assert!(
                a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
                "{}({x:e}): {a:e} alone, {b:e} in a vector",
                function.name()
            );
        }
    }
}

#[test]
fn limits_are_those_of_the_definition_and_nan_stays() {
    let points = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN, 0.0, -0.0];
    for vectors in all_vectors() {
        let jit = compile(vectors, &Unary::ALL);
        for function in Unary::ALL {
            let y = evaluate(&jit, function.name(), &points);
            for (x, y) in points.iter().zip(y) {
                let limit = function.eval(f64::from(*x));
                // As near as the polynomial is at its end.
                let off = if matches!(function, Unary::Gelu | Unary::GeluDerivative) { 1e-6 } else { 0.0 };
                let close =
                    f64::from(y) == limit || (f64::from(y) - limit).abs() <= off || y.is_nan() && limit.is_nan();
                assert!(close, "{}({x}) = {y}, not {limit}", function.name());
            }
        }
    }
}

/// An argument that is rounded to bf16 is off by 2⁻⁹ of itself, and a derivative by as much of its largest.
#[test]
fn beside_products_of_bf16_functions_are_nearer_than_rounding() {
    let points: Vec<f32> = points().into_iter().chain([f32::NAN]).collect();
    for vectors in all_vectors() {
        let functions = [Unary::Gelu, Unary::GeluDerivative];
        let jit = Jit::new(vectors, |emission| {
            for function in functions {
                emission.kernel(function.name(), |f, launch| {
                    let [x, y] = [0, 1].map(|i| launch.buffers.load_pointer(i));
                    let width = f.vectors().width as i64;
                    let near = |i| unary(function, Accuracy::Bf16, x.load_vector(i));
                    f.each(launch.begin, launch.end, width, |i| y.store_vector(i, near(i)));
                });
            }
        });
        for (function, most) in functions.into_iter().zip([2f64.powi(-17), 2f64.powi(-14)]) {
            for (x, y) in points.iter().zip(evaluate(&jit, function.name(), &points)) {
                let (x, y) = (f64::from(*x), f64::from(y));
                let scale = match function {
                    Unary::Gelu => x.max(-4.5).abs(),
                    _ => 1.0,
                };
                let close = (y - function.eval(x)).abs() <= most * scale + LAST_DENORMAL;
                assert!(close || x.is_nan() && y.is_nan(), "{}({x}) = {y}", function.name());
            }
        }
    }
}

#[test]
fn powers_of_two_for_a_softmax() {
    let mut points: Vec<f32> = (0..1 << 17).map(|i| i as f32 / -(1 << 10) as f32).collect();
    points.extend([1e-3, -1e30, f32::NEG_INFINITY, f32::NAN]);
    for vectors in all_vectors() {
        let jit = Jit::new(vectors, |emission| {
            emission.kernel("exp2", |f, launch| {
                let [x, y] = [0, 1].map(|i| launch.buffers.load_pointer(i));
                let width = f.vectors().width as i64;
                f.each(launch.begin, launch.end, width, |i| y.store_vector(i, exp2_of_softmax(x.load_vector(i))));
            });
        });
        for (x, y) in points.iter().zip(evaluate(&jit, "exp2", &points)) {
            let want = f64::from(x.max(-100.0)).exp2();
            let close = (f64::from(y) - want).abs() <= 1.5 * ULP * want;
            assert!(close || x.is_nan() && y.is_nan(), "2^{x} = {y:e} at width {}, not {want:e}", vectors.width);
        }
    }
}

#[test]
fn binary_functions_follow_their_definition() {
    const NUMBERS: [f32; 13] = [-3.0, -2.0, -1.5, -0.5, 0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 7.25, 1e-20, -1e20];
    const SPECIAL: [f32; 6] = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN, 0.0, -0.0, 1.0];
    let pairs_of = |numbers: &'static [f32]| numbers.iter().flat_map(|a| numbers.iter().map(move |b| (*a, *b)));
    let pairs: Vec<(f32, f32)> = pairs_of(&NUMBERS).chain(pairs_of(&SPECIAL)).collect();
    for vectors in all_vectors() {
        let jit = Jit::new(vectors, |emission| {
            for function in Binary::ALL {
                emission.kernel(function.name(), |f, launch| {
                    let [a, b, y] = [0, 1, 2].map(|i| launch.buffers.load_pointer(i));
                    let width = f.vectors().width as i64;
                    f.each(launch.begin, launch.end, width, |i| {
                        y.store_vector(i, binary(function, a.load_vector(i), b.load_vector(i)))
                    });
                });
            }
        });
        for function in Binary::ALL {
            let (mut a, mut b) =
                (padded(pairs.iter().map(|p| p.0).collect()), padded(pairs.iter().map(|p| p.1).collect()));
            let mut y = vec![0.0; a.len()];
            let items = 0..a.len() as i64;
            jit.run(
                function.name(),
                &mut [Buffer::F32(&mut a), Buffer::F32(&mut b), Buffer::F32(&mut y)],
                &[],
                items,
                0,
            );
            // A power is an exponential of a logarithm, which says nothing where they are infinite.
            let defined = |(a, b): (f32, f32)| function != Binary::Power || a.is_finite() && b.is_finite();
            for ((a, b), y) in pairs.iter().zip(y).filter(|(pair, _)| defined(**pair)) {
                let want = function.eval(f64::from(*a), f64::from(*b));
                let allowed = if function == Binary::Power { 1e-5 * want.abs() } else { 6e-8 * want.abs() };
                let near = want.is_finite() && (f64::from(y) - want).abs() <= allowed + LAST_DENORMAL;
                let close = near || f64::from(y) == want;
                let overflow = want.abs() > f64::from(f32::MAX) && f64::from(y) == want.signum() * f64::INFINITY;
                assert!(
                    close || overflow || y.is_nan() && want.is_nan(),
                    "{}({a}, {b}) = {y}, not {want}",
                    function.name()
                );
            }
        }
    }
}
