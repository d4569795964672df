//! Which token follows: the likeliest, or one drawn from the likeliest.

use crate::random::{Purpose, Stream};
use crate::{Failure, Kind, Result};

/// How tokens are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by it; 0 takes the likeliest token.
    pub temperature: f64,
    /// Only the k likeliest tokens are drawn from.
    pub top_k: Option<u64>,
    pub seed: u64,
}

impl Sampling {
    /// # Errors
    /// There is no such way of drawing.
    pub fn check(&self) -> Result<()> {
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            let what = format!("the temperature is {}", self.temperature);
            return Err(Failure::mistake(format!("{what}, but must be 0 (the likeliest token) or more")));
        }
        if self.top_k == Some(0) {
            return Err(Failure::mistake("top-k is 0, so there is no token to choose; make it 1 or more"));
        }
        Ok(())
    }

    /// The token number `index` of a text, from the logits of all tokens.
    pub(crate) fn pick(&self, logits: &[f64], index: u64) -> Result<u32> {
        if logits.is_empty() || logits.iter().any(|logit| logit.is_nan()) {
            let what = "the model's logits are not numbers; the checkpoint is of a run that went wrong";
            return Err(Failure::new(Kind::Broken, what));
        }
        // Of equals the one that stands first.
        let likelier = |a: &usize, b: &usize| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b));
        let likeliest = (0..logits.len()).min_by(likelier).unwrap_or(0);
        if self.temperature == 0.0 {
            return Ok(likeliest as u32);
        }
        let mut order: Vec<usize> = (0..logits.len()).collect();
        let kept = self.top_k.map_or(usize::MAX, |k| usize::try_from(k).unwrap_or(usize::MAX));
        if kept < order.len() {
            order.select_nth_unstable_by(kept, likelier);
            order.truncate(kept);
            order.sort_unstable();
        }
        let weight = |token: &usize| libm::exp((logits[*token] - logits[likeliest]) / self.temperature);
        let total: f64 = order.iter().map(weight).sum();
        let mut left = Stream::new(self.seed, Purpose::Sampling, "", index).uniform(0) * total;
        let drawn = order.iter().find(|token| {
            left -= weight(token);
            left < 0.0
        });
        // Rounding may leave a little of the last one.
        Ok(*drawn.unwrap_or(&likeliest) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(temperature: f64, top_k: Option<u64>) -> Sampling {
        Sampling { temperature, top_k, seed: 5 }
    }

    fn frequencies(sampling: Sampling, logits: &[f64]) -> Vec<f64> {
        const N: u64 = 40_000;
        let mut counts = vec![0.0; logits.len()];
        (0..N).for_each(|index| counts[sampling.pick(logits, index).unwrap() as usize] += 1.0 / N as f64);
        counts
    }

    /// Within five standard errors of the softmax at the temperature.
    fn assert_softmax(frequencies: &[f64], probabilities: &[f64]) {
        for (got, p) in frequencies.iter().zip(probabilities) {
            assert!(
                (got - p).abs() <= 5.0 * (p * (1.0 - p) / 40_000.0).sqrt(),
                "{frequencies:?} is not {probabilities:?}"
            );
        }
    }

    #[test]
    fn tokens_are_drawn_by_their_probability() {
        let logits = [1f64, 2.0, 4.0, 1.0].map(f64::ln);
        assert_softmax(&frequencies(sampling(1.0, None), &logits), &[0.125, 0.25, 0.5, 0.125]);
        // Squared at half the temperature.
        let squares = [1.0, 4.0, 16.0, 1.0].map(|x| x / 22.0);
        assert_softmax(&frequencies(sampling(0.5, None), &logits), &squares);
        assert_softmax(&frequencies(sampling(1.0, Some(2)), &logits), &[0.0, 1.0 / 3.0, 2.0 / 3.0, 0.0]);
    }

    #[test]
    fn the_first_of_the_likeliest_at_temperature_0_and_at_top_1() {
        let logits = [1.0, 3.0, 3.0, f64::NEG_INFINITY];
        assert_eq!(frequencies(sampling(0.0, None), &logits)[1].round(), 1.0);
        assert_eq!(frequencies(sampling(2.0, Some(1)), &logits)[1].round(), 1.0);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        assert_softmax(&frequencies(sampling(1.0, None), &[1e6, 1e6, -1e6]), &[0.5, 0.5, 0.0]);
    }

    #[test]
    fn the_seed_decides() {
        let draw =
            |seed| (0..20).map(|i| Sampling { seed, ..sampling(1.0, None) }.pick(&[0.0; 9], i).unwrap()).collect();
        let [a, same, other]: [Vec<u32>; 3] = [1, 1, 2].map(draw);
        assert!(a == same && a != other);
    }

    #[test]
    fn nonsense_is_refused() {
        let said = |sampling: Sampling| sampling.check().unwrap_err().message;
        let wanted = "the temperature is -1, but must be 0 (the likeliest token) or more";
        assert_eq!(said(sampling(-1.0, None)), wanted);
        assert!(sampling(f64::NAN, None).check().is_err());
        assert_eq!(said(sampling(1.0, Some(0))), "top-k is 0, so there is no token to choose; make it 1 or more");
        let message = sampling(1.0, None).pick(&[0.0, f64::NAN], 0).unwrap_err().message;
        assert_eq!(message, "the model's logits are not numbers; the checkpoint is of a run that went wrong");
    }
}
