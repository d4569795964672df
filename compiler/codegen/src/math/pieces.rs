//! Functions in sixteen pieces, whose coefficients are looked up in registers: an instruction for each, which the units that multiply
//! have no part in, and a third of the multiplications of one polynomial for the whole range.

use super::Accuracy;
use super::exponential::ROUNDER;
use crate::mlir::Vector;
use std::f64::consts::PI;
use tfc_compiler::scalar::{Unary, normal_cdf};

/// As many as a register of AVX-512 has lanes.
const PIECES: usize = 16;

/// An odd function of x ≥ 0. Piece i is a polynomial in `x · scale − i`, from −½ to ½; the last one is ½, from there on.
pub struct Pieces {
    scale: f32,
    /// For each power, the highest first, that of each piece.
    coefficients: Vec<[f32; PIECES]>,
}

impl Pieces {
    /// Φ − ½: in absolute error 1.6·10⁻⁷ once evaluated in f32, 3.4·10⁻⁶ beside products of bf16.
    pub fn distribution(accuracy: Accuracy) -> Pieces {
        match accuracy {
            Accuracy::F32 => Pieces::new(5.3, 4, above_half),
            Accuracy::Bf16 => Pieces::new(4.5, 3, above_half),
        }
    }

    /// Φ(x) − ½ + x · φ(x): in absolute error 1.4·10⁻⁷ once evaluated in f32, 2.3·10⁻⁵ beside products of bf16.
    pub fn derivative(accuracy: Accuracy) -> Pieces {
        let derivative = |x| Unary::GeluDerivative.eval(x) - 0.5;
        match accuracy {
            Accuracy::F32 => Pieces::new(5.8, 5, derivative),
            Accuracy::Bf16 => Pieces::new(4.75, 3, derivative),
        }
    }

    /// Of a function that is ½ from `end` on.
    fn new(end: f64, degree: usize, function: impl Fn(f64) -> f64) -> Pieces {
        let scale = ((PIECES as f64 - 1.5) / end) as f32;
        let mut coefficients = vec![[0.0; PIECES]; degree + 1];
        for piece in 0..PIECES - 1 {
            let near = interpolate(degree, |t| function((piece as f64 + t) / f64::from(scale)));
            near.iter().zip(coefficients.iter_mut().rev()).for_each(|(c, of_all)| of_all[piece] = *c as f32);
        }
        coefficients[degree][PIECES - 1] = 0.5;
        Pieces { scale, coefficients }
    }

    /// Where the function has become ½, and its argument needs go no further.
    pub fn end(&self) -> f32 {
        (PIECES - 1) as f32 / self.scale
    }

    /// The function of numbers that are not negative. NaN stays NaN.
    pub fn at<'f>(&self, x: Vector<'f>) -> Vector<'f> {
        let (x, scale) = (x.or_at_most(x.constant(self.end())), x.constant(self.scale));
        let shifted = x.times_plus(scale, x.constant(ROUNDER));
        let from_middle = x.times_plus(scale, x.constant(ROUNDER) - shifted);
        let piece = shifted.bits();
        let coefficient = |of_all: &[f32; PIECES]| piece.look_up(x.function().lanes(of_all));
        let highest = coefficient(&self.coefficients[0]);
        self.coefficients[1..].iter().fold(highest, |sum, of_all| sum.times_plus(from_middle, coefficient(of_all)))
    }
}

/// Φ − ½.
fn above_half(x: f64) -> f64 {
    normal_cdf(x) - 0.5
}

/// The polynomial of this degree through the Chebyshev points of [−½, ½], the lowest power first: all but minimax, and odd for an odd function.
fn interpolate(degree: usize, function: impl Fn(f64) -> f64) -> Vec<f64> {
    let count = degree + 1;
    let points: Vec<f64> = (0..count).map(|i| 0.5 * ((2 * i + 1) as f64 * PI / (2 * count) as f64).cos()).collect();
    // Newton's divided differences, then his form multiplied out.
    let mut differences: Vec<f64> = points.iter().map(|t| function(*t)).collect();
    for order in 1..count {
        for i in (order..count).rev() {
            differences[i] = (differences[i] - differences[i - 1]) / (points[i] - points[i - order]);
        }
    }
    let mut powers = vec![0.0; count];
    for (point, difference) in points.iter().zip(&differences).rev() {
        for i in (1..count).rev() {
            powers[i] = powers[i - 1] - point * powers[i];
        }
        powers[0] = difference - point * powers[0];
    }
    powers
}
