//! In what the operands of matrix products are multiplied.

use crate::graph::DType;

/// The precision of a stage. It is about operands of products alone, those of attention as its kernels say: moments, gradients, sums and everything between two products are f32, and the
/// weights that training works on. Where nothing trains, weights are stored as they are multiplied ([`crate::passes::weights`]), tables that rows
/// are looked up in among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Precision {
    F32,
    /// Each operand is rounded to bf16, to the nearest, ties to even, when all that is computed of it while it is loaded has been computed. Products
    /// of two bf16 are exact in f32, and are added in f32. Numbers below f32's normal range may become 0. GELU and its derivative, where a product computes
    /// them on the way in or out, may be off by 2⁻¹⁷ · |x| and 2⁻¹⁴: far less than rounding.
    Bf16,
}

impl Precision {
    /// As specs write it.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
    }

    /// What stores an operand as it is multiplied.
    pub fn dtype(self) -> DType {
        match self {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
        }
    }

    /// What is multiplied where an operand is `value`. f32 is left to the device: the f64 of the evaluator stay as they are.
    pub fn operand(self, value: f64) -> f64 {
        match self {
            Precision::F32 => value,
            Precision::Bf16 => f64::from(nearest_bf16(value as f32)),
        }
    }
}

/// The upper half of the bits is a bf16.
fn nearest_bf16(value: f32) -> f32 {
    if value.is_nan() {
        return value;
    }
    let bits = value.to_bits();
    let tie_to_even = (bits >> 16) & 1;
    f32::from_bits(bits.wrapping_add(0x7fff + tie_to_even) & 0xffff_0000)
}

#[cfg(test)]
mod tests {
    use super::Precision;

    #[test]
    fn operands_go_to_the_nearest_bf16_and_ties_to_even() {
        // The eight bits of a bf16's significand step by 2⁻⁷ between 1 and 2.
        let step = 1.0 / 128.0;
        let cases = [
            (1.0, 1.0),
            (1.0 + 0.4 * step, 1.0),
            (1.0 + 0.5 * step, 1.0),
            (1.0 + 0.6 * step, 1.0 + step),
            (1.0 + 1.5 * step, 1.0 + 2.0 * step),
            (-1.0 - 0.6 * step, -1.0 - step),
            (0.0, 0.0),
            (f64::from(f32::MAX), f64::INFINITY),
            (f64::NEG_INFINITY, f64::NEG_INFINITY),
        ];
        for (value, rounded) in cases {
            assert_eq!(Precision::Bf16.operand(value), rounded, "{value}");
            assert_eq!(Precision::F32.operand(value), value);
        }
        assert!(Precision::Bf16.operand(f64::NAN).is_nan());
    }
}
