//! How likely a token is, from the logits of all.

/// The natural logarithms of probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct Likelihood {
    pub token: u32,
    pub ln_p: f64,
    /// The likeliest tokens, the first one first.
    pub likeliest: Vec<(u32, f64)>,
}

impl Likelihood {
    /// Of `token`, and the `top` likeliest. A token that the logits do not know has the probability 0.
    pub fn of(token: u32, logits: &[f64], top: usize) -> Likelihood {
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = logits.iter().map(|logit| libm::exp(logit - largest)).sum();
        let ln_p = |logit: f64| logit - largest - libm::log(total);
        // Of equals the one that stands first.
        let likelier = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
        let mut order: Vec<u32> = (0..logits.len() as u32).collect();
        if top < order.len() {
            order.select_nth_unstable_by(top, likelier);
            order.truncate(top);
        }
        order.sort_unstable_by(likelier);
        let likeliest = order.into_iter().map(|token| (token, ln_p(logits[token as usize]))).collect();
        Likelihood {
            token,
            ln_p: logits.get(token as usize).map_or(f64::NEG_INFINITY, |logit| ln_p(*logit)),
            likeliest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_the_softmax() {
        let logits = [1f64, 2.0, 4.0, 1.0].map(|p| f64::ln(p) + 1000.0);
        let Likelihood { token, ln_p, likeliest } = Likelihood::of(1, &logits, 2);
        assert_eq!((token, likeliest.iter().map(|(token, _)| *token).collect::<Vec<_>>()), (1, vec![2, 1]));
        for (got, p) in [(ln_p, 0.25), (likeliest[0].1, 0.5), (likeliest[1].1, 0.25)] {
            assert!((got - f64::ln(p)).abs() < 1e-12, "{got} is not ln {p}");
        }
        assert_eq!(Likelihood::of(3, &logits, 9).likeliest.iter().map(|(t, _)| *t).collect::<Vec<_>>(), [2, 1, 0, 3]);
        assert_eq!(Likelihood::of(4, &logits, 0), Likelihood { token: 4, ln_p: f64::NEG_INFINITY, likeliest: vec![] });
    }
}
