//! Learning-rate schedules as pure functions of the step.
//!
//! A schedule rises over `warmup` steps, stays at 1, and falls to its floor over the last part of its span: cosine and linear
//! right after the warm-up, wsd over its own last part, constant never. Step s is the s-th update counted from 0. The rise is
//! (s + 1) / warmup, so that no update is wasted on a learning rate of 0. The fall is at 1 in its first step and at the floor
//! once the span is over, so that no update is wasted there either.

use crate::{Failure, Result};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use tfc_compiler::model::{Schedule, ScheduleKind, ScheduleSpan};

/// A schedule whose spans have become numbers of steps: what the learning rate is multiplied with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    warmup: u64,
    fall: Option<Fall>,
    floor: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Fall {
    shape: Shape,
    start: u64,
    length: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Cosine,
    Line,
}

impl Curve {
    /// `span`: the steps that the schedule runs over, if they are known.
    ///
    /// # Errors
    /// The schedule falls, or says a part in percent, and the span is not known.
    pub fn new(schedule: &Schedule, span: Option<u64>) -> Result<Curve> {
        let known = |what: &str| {
            let unknown = || Failure::mistake(format!("{what} needs a span of known length; give the stage `steps`"));
            span.ok_or_else(unknown)
        };
        let steps = |part: ScheduleSpan, what: &str| match part {
            ScheduleSpan::Steps(steps) => Ok(steps),
            ScheduleSpan::Fraction(0.0) => Ok(0),
            ScheduleSpan::Fraction(fraction) => Ok((fraction * known(what)? as f64).round() as u64),
        };
        let warmup = steps(schedule.warmup, "a warm-up in percent")?;
        let after_warmup = |shape, what| {
            let span = known(what)?;
            Ok(Fall { shape, start: warmup, length: span.saturating_sub(warmup) })
        };
        let fall = match schedule.kind {
            ScheduleKind::Constant => None,
            ScheduleKind::Cosine => Some(after_warmup(Shape::Cosine, "a cosine schedule")?),
            ScheduleKind::Linear => Some(after_warmup(Shape::Line, "a linear schedule")?),
            ScheduleKind::Wsd { decay } => {
                let span = known("a wsd schedule")?;
                let length = steps(decay, "a decay in percent")?.min(span.saturating_sub(warmup));
                Some(Fall { shape: Shape::Line, start: span - length.min(span), length })
            }
        };
        Ok(Curve { warmup, fall, floor: schedule.floor })
    }

    /// The factor of update `step`, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return (step + 1) as f64 / self.warmup as f64;
        }
        let height = self.fall.as_ref().map_or(1.0, |fall| fall.height(step));
        self.floor + (1.0 - self.floor) * height
    }
}

impl Fall {
    /// From 1 at `start` to 0 at its end and from there on.
    fn height(&self, step: u64) -> f64 {
        if step < self.start {
            return 1.0;
        }
        let progress = ((step - self.start) as f64 / self.length.max(1) as f64).min(1.0);
        match self.shape {
            // libm's cosine is the same on every machine.
            Shape::Cosine => 0.5 * (1.0 + libm::cos(PI * progress)),
            Shape::Line => 1.0 - progress,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tfc_compiler::model::Horizon;

    fn schedule(kind: ScheduleKind, warmup: ScheduleSpan, floor: f64) -> Schedule {
        Schedule { kind, warmup, floor, horizon: Horizon::Stage }
    }

    fn factors<const N: usize>(schedule: &Schedule, span: u64, steps: [u64; N]) -> [f64; N] {
        let curve = Curve::new(schedule, Some(span)).unwrap();
        steps.map(|step| curve.at(step))
    }

    #[test]
    fn cosine_rises_falls_and_stays_at_the_floor() {
        let cosine = schedule(ScheduleKind::Cosine, ScheduleSpan::Fraction(0.02), 0.1);
        let half = 0.1 + 0.9 * 0.5;
        // cos(π/3) = 1/2: a third of the way down is 3/4 of the height.
        assert_eq!(factors(&cosine, 200, [0, 1, 3, 4]), [0.25, 0.5, 1.0, 1.0]);
        let [at_half, at_end, later] = factors(&cosine, 200, [4 + 98, 200, 1000]);
        assert!((at_half - half).abs() < 1e-15, "{at_half}");
        assert_eq!([at_end, later], [0.1, 0.1]);
        let third = factors(&schedule(ScheduleKind::Cosine, ScheduleSpan::Steps(0), 0.0), 30, [10]);
        assert!((third[0] - 0.75).abs() < 1e-15, "{third:?}");
    }

    #[test]
    fn linear_and_constant() {
        let linear = schedule(ScheduleKind::Linear, ScheduleSpan::Steps(2), 0.5);
        assert_eq!(factors(&linear, 10, [0, 1, 2, 6, 10, 11]), [0.5, 1.0, 1.0, 0.75, 0.5, 0.5]);
        let constant = schedule(ScheduleKind::Constant, ScheduleSpan::Steps(4), 0.5);
        assert_eq!(factors(&constant, 10, [0, 2, 3, 4, 1000]), [0.25, 0.75, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn wsd_stays_up_until_its_last_part() {
        let wsd = |decay| schedule(ScheduleKind::Wsd { decay }, ScheduleSpan::Steps(2), 0.0);
        let last_fifth = wsd(ScheduleSpan::Fraction(0.2));
        assert_eq!(factors(&last_fifth, 20, [1, 2, 16, 17, 19, 20]), [1.0, 1.0, 1.0, 0.75, 0.25, 0.0]);
        // No more than what the warm-up leaves.
        assert_eq!(factors(&wsd(ScheduleSpan::Steps(100)), 6, [1, 2, 3, 6]), [1.0, 1.0, 0.75, 0.0]);
    }

    #[test]
    fn only_what_needs_a_length_asks_for_one() {
        let wsd = ScheduleKind::Wsd { decay: ScheduleSpan::Steps(5) };
        let [none, some] = [ScheduleSpan::Fraction(0.0), ScheduleSpan::Fraction(0.1)];
        let said = |kind, warmup| Curve::new(&schedule(kind, warmup, 0.0), None).map_err(|failure| failure.message);
        let wants = |what| Err(format!("{what} needs a span of known length; give the stage `steps`"));
        assert!(said(ScheduleKind::Constant, none).is_ok());
        assert!(said(ScheduleKind::Constant, ScheduleSpan::Steps(7)).is_ok());
        assert_eq!(said(ScheduleKind::Constant, some), wants("a warm-up in percent"));
        assert_eq!(said(ScheduleKind::Cosine, none), wants("a cosine schedule"));
        assert_eq!(said(ScheduleKind::Linear, none), wants("a linear schedule"));
        assert_eq!(said(wsd, none), wants("a wsd schedule"));
    }

    proptest! {
        /// Whatever is asked for: up, never above 1, down, never below the floor, no jump but the fall's own slope.
        #[test]
        fn every_schedule_rises_then_falls(
            kind in prop_oneof![
                Just(ScheduleKind::Cosine), Just(ScheduleKind::Linear), Just(ScheduleKind::Constant),
                (0u64..300).prop_map(|steps| ScheduleKind::Wsd { decay: ScheduleSpan::Steps(steps) }),
            ],
            warmup in 0u64..300, span in 0u64..300, floor in 0.0f64..1.0,
        ) {
            let curve = Curve::new(&schedule(kind, ScheduleSpan::Steps(warmup), floor), Some(span)).unwrap();
            for step in 0..400u64 {
                let [now, next] = [curve.at(step), curve.at(step + 1)];
                prop_assert!((0.0..=1.0 + 1e-15).contains(&now));
                if step + 1 < warmup { prop_assert!(next > now) } else { prop_assert!(next <= now + 1e-15 && next >= floor - 1e-15) }
            }
        }
    }
}
