//! The inverse of the normal distribution, so that one uniform number gives one normal number.
//! Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37 (1988), PPND16:
//! relative accuracy about 1e-16. Only exactly rounded operations and libm's portable logarithm: bits do not depend on
//! the machine.
#![allow(clippy::excessive_precision, reason = "the coefficients are as published")]

/// x with Φ(x) = p, for p in (0, 1).
pub fn inverse_normal(p: f64) -> f64 {
    if is_central(p) { center(p) } else { tail(p) }
}

/// The same of each of many. What is right for five of six is computed for all, so that several are computed at once.
pub fn inverse_normals(ps: &[f64], xs: &mut [f64]) {
    xs.iter_mut().zip(ps).for_each(|(x, p)| *x = center(*p));
    for (x, p) in xs.iter_mut().zip(ps).filter(|(_, p)| !is_central(**p)) {
        *x = tail(*p);
    }
}

fn is_central(p: f64) -> bool {
    (p - 0.5).abs() <= 0.425
}

#[inline(always)]
fn center(p: f64) -> f64 {
    let q = p - 0.5;
    q * ratio(&CENTER, 0.180625 - q * q)
}

fn tail(p: f64) -> f64 {
    let q = p - 0.5;
    let r = (-libm::log(p.min(1.0 - p))).sqrt();
    let x = if r <= 5.0 { ratio(&SHOULDER, r - 1.6) } else { ratio(&TAIL, r - 5.0) };
    x.copysign(q)
}

/// Numerator and denominator by rising powers.
type Rational = [[f64; 8]; 2];

#[inline(always)]
fn ratio([numerator, denominator]: &Rational, r: f64) -> f64 {
    let horner = |coefficients: &[f64; 8]| coefficients.iter().rev().fold(0.0, |sum, c| sum * r + c);
    horner(numerator) / horner(denominator)
}

const CENTER: Rational = [
    [
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ],
    [
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ],
];

const SHOULDER: Rational = [
    [
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ],
    [
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ],
];

const TAIL: Rational = [
    [
        6.65790464350110377720e0,
        5.46378491116411436990e0,
        1.78482653991729133580e0,
        2.96560571828504891230e-1,
        2.65321895265761230930e-2,
        1.24266094738807843860e-3,
        2.71155556874348757815e-5,
        2.01033439929228813265e-7,
    ],
    [
        1.0,
        5.99832206555887937690e-1,
        1.36929880922735805310e-1,
        1.48753612908506148525e-2,
        7.86869131145613259100e-4,
        1.84631831751005468180e-5,
        1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the paper.
    #[test]
    fn published_values() {
        for (p, x) in
            [(0.25, -0.674_489_750_196_081_7), (0.001, -3.090_232_306_167_813_5), (1e-20, -9.262_340_089_798_408)]
        {
            assert!((inverse_normal(p) / x - 1.0).abs() < 1e-15, "{p}: {}", inverse_normal(p));
        }
        assert_eq!(inverse_normal(0.5), 0.0);
    }

    /// Φ(x) = erfc(-x/√2)/2 undoes it, also where the three approximations meet.
    #[test]
    fn inverts_the_distribution() {
        for p in [1e-300, 1e-12, 1.3e-11, 1.4e-11, 0.01, 0.0749, 0.0751, 0.3, 0.5, 0.6, 0.9249, 0.9251, 0.99] {
            let back = 0.5 * libm::erfc(-inverse_normal(p) / std::f64::consts::SQRT_2);
            assert!((back / p - 1.0).abs() < 1e-12, "{p} came back as {back}");
        }
    }
}
