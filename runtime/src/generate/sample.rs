//! Which token follows: the likeliest, or one drawn from the likeliest.

use crate::random::{Purpose, Stream};
use crate::{Failure, Kind, Result};
use std::array;
use std::borrow::Cow;

/// How tokens are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by it; 0 takes the likeliest token.
    pub temperature: f64,
    /// Only the k likeliest tokens are drawn from.
    pub top_k: Option<u64>,
    /// Of these only the likeliest whose probabilities add up to this.
    pub top_p: Option<f64>,
    /// What a token's logit loses for each time that it was drawn for this text already, and once if it was at all.
    pub frequency_penalty: f64,
    pub presence_penalty: f64,
    pub seed: u64,
}

impl Sampling {
    /// The likeliest token each time.
    pub const GREEDY: Sampling =
        Sampling { temperature: 0.0, top_k: None, top_p: None, frequency_penalty: 0.0, presence_penalty: 0.0, seed: 0 };

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
        if let Some(share) = self.top_p.filter(|share| !(*share > 0.0 && *share <= 1.0)) {
            return Err(Failure::mistake(format!("top-p is {share}, but must be more than 0 and at most 1")));
        }
        if let Some(penalty) = [self.frequency_penalty, self.presence_penalty].iter().find(|x| !x.is_finite()) {
            return Err(Failure::mistake(format!("a penalty is {penalty}, but must be a number")));
        }
        Ok(())
    }

    /// The token that follows those `made` so far, from the logits of all tokens.
    pub(crate) fn pick(&self, logits: &[f64], made: &[u32]) -> Result<u32> {
        if logits.is_empty() || logits.iter().any(|logit| logit.is_nan()) {
            let what = "the model's logits are not numbers; the checkpoint is of a run that went wrong";
            return Err(Failure::new(Kind::Broken, what));
        }
        let logits = self.penalized(logits, made);
        // Of equals the one that stands first.
        let likelier = |a: &usize, b: &usize| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b));
        let largest = largest(&logits);
        let likeliest = logits.iter().position(|logit| *logit == largest).unwrap_or(0);
        if self.temperature == 0.0 {
            return Ok(likeliest as u32);
        }
        let weight = |token: &usize| libm::exp((logits[*token] - logits[likeliest]) / self.temperature);
        let mut order: Vec<usize> = (0..logits.len()).collect();
        let kept = self.top_k.map_or(usize::MAX, |k| usize::try_from(k).unwrap_or(usize::MAX));
        if kept < order.len() {
            order.select_nth_unstable_by(kept, likelier);
            order.truncate(kept);
        }
        if let Some(share) = self.top_p.filter(|share| *share < 1.0) {
            order.sort_unstable_by(likelier);
            let mut left = share * order.iter().map(weight).sum::<f64>();
            let last = order.iter().position(|token| {
                left -= weight(token);
                left <= 0.0
            });
            order.truncate(last.map_or(order.len(), |last| last + 1));
        }
        order.sort_unstable();
        let total: f64 = order.iter().map(weight).sum();
        let mut left = Stream::new(self.seed, Purpose::Sampling, "", made.len() as u64).uniform(0) * total;
        let drawn = order.iter().find(|token| {
            left -= weight(token);
            left < 0.0
        });
        // Rounding may leave a little of the last one.
        Ok(*drawn.unwrap_or(&likeliest) as u32)
    }

    fn penalized<'a>(&self, logits: &'a [f64], made: &[u32]) -> Cow<'a, [f64]> {
        if self.frequency_penalty == 0.0 && self.presence_penalty == 0.0 {
            return Cow::Borrowed(logits);
        }
        let mut counts = vec![0u32; logits.len()];
        made.iter().for_each(|token| counts[*token as usize] += 1);
        let penalized = logits.iter().zip(&counts).map(|(logit, count)| match count {
            0 => *logit,
            count => logit - self.presence_penalty - f64::from(*count) * self.frequency_penalty,
        });
        Cow::Owned(penalized.collect())
    }
}

/// Eight at a time: a processor compares several at once.
fn largest(numbers: &[f64]) -> f64 {
    let larger = |a: f64, b: f64| if b > a { b } else { a };
    let (eights, rest) = numbers.as_chunks::<8>();
    let of_eights =
        eights.iter().fold([f64::NEG_INFINITY; 8], |largest, eight| array::from_fn(|i| larger(largest[i], eight[i])));
    rest.iter().chain(&of_eights).copied().fold(f64::NEG_INFINITY, larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(temperature: f64, top_k: Option<u64>) -> Sampling {
        Sampling { temperature, top_k, seed: 5, ..Sampling::GREEDY }
    }

    fn frequencies(sampling: Sampling, logits: &[f64]) -> Vec<f64> {
        const N: u64 = 40_000;
        let mut counts = vec![0u64; logits.len()];
        let seeds = (0..N).map(|seed| Sampling { seed, ..sampling });
        seeds.for_each(|sampling| counts[sampling.pick(logits, &[]).unwrap() as usize] += 1);
        counts.into_iter().map(|count| count as f64 / N as f64).collect()
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
    fn top_p_keeps_the_likeliest_that_make_up_the_share() {
        let logits = [1f64, 2.0, 4.0, 1.0].map(f64::ln);
        let nucleus = |top_p| Sampling { top_p: Some(top_p), ..sampling(1.0, None) };
        assert_softmax(&frequencies(nucleus(0.6), &logits), &[0.0, 1.0 / 3.0, 2.0 / 3.0, 0.0]);
        assert_softmax(&frequencies(nucleus(0.5), &logits), &[0.0, 0.0, 1.0, 0.0]);
        assert_softmax(&frequencies(nucleus(1e-9), &logits), &[0.0, 0.0, 1.0, 0.0]);
        assert_softmax(&frequencies(nucleus(1.0), &logits), &[0.125, 0.25, 0.5, 0.125]);
        // Of the two that top-k leaves, the likelier has two thirds.
        let both = Sampling { top_k: Some(2), ..nucleus(0.66) };
        assert_softmax(&frequencies(both, &logits), &[0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn penalties_are_taken_off_the_logits_of_tokens_that_were_drawn() {
        let penalizing = |frequency_penalty, presence_penalty| {
            let sampling = Sampling { frequency_penalty, presence_penalty, ..Sampling::GREEDY };
            sampling.penalized(&[3.0, 2.0, 1.0], &[0, 2, 0]).to_vec()
        };
        assert_eq!(penalizing(0.0, 0.0), [3.0, 2.0, 1.0]);
        assert_eq!(penalizing(0.5, 0.0), [2.0, 2.0, 0.5]);
        assert_eq!(penalizing(0.0, 0.25), [2.75, 2.0, 0.75]);
        let sampling = Sampling { presence_penalty: 1.5, ..Sampling::GREEDY };
        assert_eq!([&[][..], &[0], &[0, 1]].map(|made| sampling.pick(&[3.0, 2.0, 1.0], made).unwrap()), [0, 1, 0]);
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
        let made = [0; 20];
        let draw = |seed| {
            let pick = |i| Sampling { seed, ..sampling(1.0, None) }.pick(&[0.0; 9], &made[..i]).unwrap();
            (0..20).map(pick).collect()
        };
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
        let top_p = Sampling { top_p: Some(0.0), ..Sampling::GREEDY };
        assert_eq!(said(top_p), "top-p is 0, but must be more than 0 and at most 1");
        assert!(Sampling { presence_penalty: f64::NAN, ..Sampling::GREEDY }.check().is_err());
        let message = sampling(1.0, None).pick(&[0.0, f64::NAN], &[]).unwrap_err().message;
        assert_eq!(message, "the model's logits are not numbers; the checkpoint is of a run that went wrong");
    }
}
