//! The tables of rotary embedding, in f32 as the official code computes them: every device turns by the same angles.
//!
//! Each f32 operation is rounded from f64, so that the numbers do not depend on a machine's f32 library.

use std::f64::consts::PI;

/// cos(position · base^(−2·pair/channels)).
pub fn cosine(position: i64, pair: usize, channels: usize, base: f64) -> f32 {
    let angle = angle(position, pair, channels, base);
    let odd = 2.0 * libm::rint(angle / PI - 0.5) + 1.0;
    let sign = if odd.rem_euclid(4.0) == 1.0 { -1.0 } else { 1.0 };
    sine_of_reduced(sign * (angle - odd * (PI / 2.0)))
}

/// sin(position · base^(−2·pair/channels)).
pub fn sine(position: i64, pair: usize, channels: usize, base: f64) -> f32 {
    let angle = angle(position, pair, channels, base);
    let turns = libm::rint(angle / PI);
    let sign = if turns.rem_euclid(2.0) == 1.0 { -1.0 } else { 1.0 };
    sine_of_reduced(sign * (angle - turns * PI))
}

/// The sine of an angle in [−π/2, π/2] by the polynomial of SLEEF's f32 functions of one unit in the last place, which PyTorch
/// uses: so the tables are the official ones to the bit, not only to rounding.
fn sine_of_reduced(angle: f64) -> f32 {
    let square = angle * angle;
    let s = square as f32;
    let tail = 2.608_316e-6_f32.mul_add(s, -0.000_198_106_9).mul_add(s, 0.008_333_078);
    let series = 1.0 + square * (-0.166_666_597_127_914_43 + f64::from(tail * s));
    (angle * series) as f32
}

fn angle(position: i64, pair: usize, channels: usize, base: f64) -> f64 {
    let exponent = (2 * pair) as f32 / channels as f32;
    let inverse_frequency = 1.0 / libm::pow(f64::from(base as f32), f64::from(exponent)) as f32;
    f64::from(position as f32 * inverse_frequency)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NumPy, in float32: `inv = 1 / 10000 ** (arange(0, 32, 2) / 32)`, `cos(position * inv[pair])`. Its cosine is off by up to
    /// a unit in the last place, an angle in another precision would be off by far more.
    #[test]
    fn is_near_the_official_tables() {
        let table = [
            (1, 0, 0.540_302_3, 0.841_471),
            (7, 3, 0.320_257, 0.947_330_7),
            (100, 1, 0.950_940_9, -0.309_372_48),
            (1023, 5, 0.557_979_2, 0.829_854_9),
            (2047, 15, 0.934_475_3, 0.356_027_87),
        ];
        for (position, pair, cos, sin) in table {
            assert!((cosine(position, pair, 32, 1e4) - cos).abs() <= f32::EPSILON / 2.0, "{position} {pair}");
            assert!((sine(position, pair, 32, 1e4) - sin).abs() <= f32::EPSILON / 2.0, "{position} {pair}");
        }
        assert_eq!([cosine(0, 3, 32, 1e4), sine(0, 3, 32, 1e4)], [1.0, 0.0]);
    }
}
