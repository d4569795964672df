//! The normal distribution function Φ and GELU, x · Φ(x), as odd functions around ½: without division and exponential a third of the work of a formula
//! that keeps its relative accuracy far below zero, where nobody needs it. The same wherever they are computed, so that what is computed
//! again comes out the same.
//!
//! They are polynomials in pieces where coefficients can be looked up in a register, else one for all of the range.

use super::pieces::Pieces;
use super::{Accuracy, polynomial};
use crate::mlir::{Float, Value};
use tfc_compiler::optimization::Optimization;

/// x · Φ(x).
pub fn gelu<'f, K: Float>(x: Value<'f, K>, accuracy: Accuracy) -> Value<'f, K> {
    if is_in_pieces(x) {
        return K::in_register(x, |x| {
            let above_half = Pieces::distribution(accuracy);
            let x = x.or_at_least(x.constant(-above_half.end()));
            x.absolute().times_plus(above_half.at(x.absolute()), x * 0.5)
        });
    }
    match accuracy {
        Accuracy::F32 => DISTRIBUTION_F32.product_at(x),
        Accuracy::Bf16 => DISTRIBUTION_BF16.product_at(x),
    }
}

/// Φ(x) + x · φ(x).
pub fn gelu_derivative<'f, K: Float>(x: Value<'f, K>, accuracy: Accuracy) -> Value<'f, K> {
    if is_in_pieces(x) {
        return K::in_register(x, |x| Pieces::derivative(accuracy).at(x.absolute()).with_sign_of(x) + 0.5);
    }
    match accuracy {
        Accuracy::F32 => DERIVATIVE_F32.at(x),
        Accuracy::Bf16 => DERIVATIVE_BF16.at(x),
    }
}

/// Whether there are registers to look coefficients up in.
fn is_in_pieces<K: Float>(x: Value<K>) -> bool {
    x.function().vectors().avx512() && x.function().uses(Optimization::Pieces)
}

/// An odd function around ½ on [−end, end], as minimax for (f(x) − ½) / x in 2 · (x / end)² − 1: in x² itself the terms of the high powers
/// would be large, and so would what rounding them loses.
struct Near<const TERMS: usize> {
    end: f32,
    coefficients: [f32; TERMS],
}

/// Φ in absolute error 1.5·10⁻⁷ once evaluated in f32, and beyond the end as well.
const DISTRIBUTION_F32: Near<14> = Near {
    end: 5.2,
    coefficients: [
        -4.812_781_7e-4,
        1.268_511_4e-3,
        -1.221_490_4e-3,
        1.800_121_6e-3,
        -4.789_042_8e-3,
        8.559_969e-3,
        -1.250_511_9e-2,
        1.795_478_7e-2,
        -2.472_363e-2,
        3.198_995_8e-2,
        -3.992_982e-2,
        5.002_452e-2,
        -6.774_367e-2,
        1.359_5e-1,
    ],
};

/// Φ(x) + x · φ(x) in absolute error 4.5·10⁻⁷ once evaluated in f32, and beyond the end as well.
const DERIVATIVE_F32: Near<16> = Near {
    end: 5.6,
    coefficients: [
        -6.769_072_7e-3,
        1.623_526_8e-2,
        -6.904_586_7e-3,
        1.844_667_7e-3,
        -3.216_148_5e-2,
        5.753_126_4e-2,
        -5.588_266_3e-2,
        6.003_802e-2,
        -7.216_585e-2,
        7.320_134e-2,
        -6.518_479_4e-2,
        5.650_107e-2,
        -5.094_723_4e-2,
        5.181_611e-2,
        -6.428_29e-2,
        1.264_165_8e-1,
    ],
};

/// Φ in absolute error 3.7·10⁻⁶, and beyond the end what it is there, within 3.4·10⁻⁶.
const DISTRIBUTION_BF16: Near<10> = Near {
    end: 4.5,
    coefficients: [
        -1.930_536_1e-3,
        4.962_708e-3,
        -6.070_185_5e-3,
        9.653_215e-3,
        -1.848_398_1e-2,
        2.885_765_6e-2,
        -4.023_697_2e-2,
        5.463_748_8e-2,
        -7.718_588_4e-2,
        1.569_060_4e-1,
    ],
};

/// Φ(x) + x · φ(x) in absolute error 2.6·10⁻⁵, and beyond the end within 2.3·10⁻⁵.
const DERIVATIVE_BF16: Near<11> = Near {
    end: 4.75,
    coefficients: [
        2.221_645_2e-2,
        -5.016_523_2e-2,
        3.567_595e-2,
        -3.369_686e-2,
        7.709_151_5e-2,
        -9.945_126e-2,
        9.069_732_6e-2,
        -8.119_023_6e-2,
        7.566_655_4e-2,
        -8.173_795e-2,
        1.501_670_3e-1,
    ],
};

impl<const TERMS: usize> Near<TERMS> {
    fn at<'f, K: Float>(&self, x: Value<'f, K>) -> Value<'f, K> {
        let x = x.or_at_least(x.constant(-self.end)).or_at_most(x.constant(self.end));
        let even = (x * x).times_plus(x.constant(2.0 / (self.end * self.end)), x.constant(-1.0));
        polynomial(even, &self.coefficients).times_plus(x, x.constant(0.5))
    }

    /// x · f(x) for an f that is all but 0 before −end.
    fn product_at<'f, K: Float>(&self, x: Value<'f, K>) -> Value<'f, K> {
        x.or_at_least(x.constant(-self.end)) * self.at(x)
    }
}
