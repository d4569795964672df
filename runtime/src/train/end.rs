//! When a stage is over, and how long it is.

use crate::checkpoint::{Done, Plateau, StageState};
use crate::schedule::Curve;
use crate::{Failure, Result};
use tfc_compiler::model::{End, Horizon, Metric, Model, Primitive, Schedule, Stage, Until};

/// Updates until the first of `steps`, `tokens` and `flops` is reached, if any is given. `each` is what one update does.
pub fn length(end: &End, each: Done) -> Option<u64> {
    let by_tokens = end.tokens.map(|tokens| tokens.div_ceil(each.tokens.max(1)));
    let by_flops = end.flops.map(|flops| (flops / each.flops).ceil() as u64);
    [end.steps, by_tokens, by_flops].into_iter().flatten().min()
}

/// Whether a stage has reached its end. A function of the state alone: a resumed run comes to the same answer.
pub fn over(end: &End, stage: &StageState) -> bool {
    let Done { steps, tokens, flops } = stage.done;
    end.steps.is_some_and(|end| steps >= end)
        || end.tokens.is_some_and(|end| tokens >= end)
        || end.flops.is_some_and(|end| flops >= end)
        || end.until.as_ref().is_some_and(|until| reached(until, stage))
}

fn reached(until: &Until, stage: &StageState) -> bool {
    let last = |Metric(name): &Metric| stage.evaluation.as_ref()?.values.get(name).copied();
    match until {
        Until::Plateau { patience, .. } => stage.plateau.evaluations_since >= *patience,
        Until::AtMost { metric, value } => last(metric).is_some_and(|last| last <= *value),
        Until::AtLeast { metric, value } => last(metric).is_some_and(|last| last >= *value),
    }
}

impl Plateau {
    /// Takes note of one more evaluation: better is lower, but higher for an accuracy.
    pub fn see(&mut self, value: f64, delta: f64, higher_is_better: bool) {
        let sign = if higher_is_better { -1.0 } else { 1.0 };
        let improved =
            value.is_finite() && self.best.is_none_or(|best| sign * value < sign * best - delta * best.abs());
        if improved {
            *self = Plateau { best: Some(value), evaluations_since: 0 };
        } else {
            self.evaluations_since += 1;
        }
    }
}

/// Whether more of a metric is better.
pub fn higher_is_better(model: &Model, Metric(name): &Metric) -> bool {
    let metric = model.program.metrics.iter().find(|(n, _)| n == name);
    metric.is_some_and(|(_, value)| matches!(model.program.values[value.0 as usize].primitive, Primitive::Accuracy))
}

/// The curve of a stage's schedule. Over all stages, the span is what the run has done before the stage and what it and the
/// later ones plan: the curve ends at its floor even where an earlier stage ended before its time.
pub fn curve(
    stages: &[Stage],
    index: usize,
    schedule: &Schedule,
    done_before: u64,
    each: &dyn Fn(usize) -> Done,
) -> Result<Curve> {
    let planned = |i: usize| if stages[i].from.is_some() { Some(0) } else { length(&stages[i].end, each(i)) };
    let span = match schedule.horizon {
        Horizon::Stage => planned(index),
        Horizon::Run => (index..stages.len()).map(planned).sum::<Option<u64>>().map(|later| done_before + later),
    };
    let in_stage =
        |failure: Failure| Failure::new(failure.kind, format!("stage `{}`: {}", stages[index].name, failure.message));
    Curve::new(schedule, span).map_err(in_stage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Evaluated;

    const EACH: Done = Done { steps: 1, tokens: 100, flops: 6e3 };

    fn stage(steps: u64) -> StageState {
        let done = Done { steps, tokens: steps * EACH.tokens, flops: steps as f64 * EACH.flops };
        StageState { done, ..StageState::new(0, "a") }
    }

    /// `length` and `over` agree: a stage is over exactly when it has its length.
    #[test]
    fn the_first_end_that_is_reached_counts() {
        let ends = [
            (End { steps: Some(7), ..End::default() }, 7),
            (End { tokens: Some(601), ..End::default() }, 7),
            (End { tokens: Some(600), ..End::default() }, 6),
            (End { flops: Some(6e3 * 4.5), ..End::default() }, 5),
            (End { steps: Some(7), tokens: Some(201), flops: Some(1e9), until: None }, 3),
            (End { steps: Some(0), ..End::default() }, 0),
        ];
        for (end, steps) in ends {
            assert_eq!(length(&end, EACH), Some(steps), "{end:?}");
            assert!(over(&end, &stage(steps)) && (steps == 0 || !over(&end, &stage(steps - 1))), "{end:?}");
        }
        assert_eq!(length(&End::default(), EACH), None);
        assert!(!over(&End::default(), &stage(1 << 40)));
    }

    #[test]
    fn conditions_look_at_the_last_evaluation() {
        let metric = || Metric("loss".to_string());
        let until = |until| End { until: Some(until), ..End::default() };
        let at_most = until(Until::AtMost { metric: metric(), value: 2.9 });
        let at_least = until(Until::AtLeast { metric: Metric("accuracy".to_string()), value: 0.5 });
        let mut stage = stage(10);
        assert!(!over(&at_most, &stage) && !over(&at_least, &stage));
        let evaluated = |loss, accuracy| {
            let values = [("loss", loss), ("accuracy", accuracy)].map(|(name, value)| (name.to_string(), value));
            Some(Evaluated { step: 10, values: values.into() })
        };
        stage.evaluation = evaluated(2.91, 0.49);
        assert!(!over(&at_most, &stage) && !over(&at_least, &stage));
        stage.evaluation = evaluated(2.9, 0.5);
        assert!(over(&at_most, &stage) && over(&at_least, &stage));
    }

    fn evaluations_until_plateau(values: &[f64], higher_is_better: bool) -> Option<usize> {
        let metric = Metric("loss".to_string());
        let end = End { until: Some(Until::Plateau { metric, patience: 2, delta: 0.01 }), ..End::default() };
        let mut stage = stage(0);
        values.iter().position(|value| {
            stage.plateau.see(*value, 0.01, higher_is_better);
            over(&end, &stage)
        })
    }

    #[test]
    fn a_plateau_is_patience_evaluations_without_improvement() {
        assert_eq!(evaluations_until_plateau(&[3.0, 2.9, 2.88, 2.875, 2.0], false), Some(3));
        // 1 % better than the best, not than the last: slow progress counts.
        assert_eq!(evaluations_until_plateau(&[3.0, 2.98, 2.96, 2.94, 2.92], false), None);
        assert_eq!(evaluations_until_plateau(&[0.5, 0.6, 0.6, 0.604], true), Some(3));
        assert_eq!(evaluations_until_plateau(&[0.5, 0.6, 0.61, 0.62], true), None);
        assert_eq!(evaluations_until_plateau(&[-1.0, -1.5, -1.501, -1.502], false), Some(3));
        assert_eq!(evaluations_until_plateau(&[f64::NAN, 3.0, f64::NAN, 2.0, f64::INFINITY], false), None);
    }

    #[test]
    fn a_run_wide_schedule_ends_with_the_run() {
        use tfc_compiler::model::{ScheduleKind, ScheduleSpan};
        let stage = |steps: Option<u64>| crate::fake::stage("s", 2, End { steps, ..End::default() });
        let schedule =
            |horizon| Schedule { kind: ScheduleKind::Linear, warmup: ScheduleSpan::Steps(0), floor: 0.0, horizon };
        let stages = [stage(Some(10)), stage(Some(30))];
        let each = |_| EACH;
        // The first stage ended after 6 of its 10 updates: 30 more to go, of 36.
        let run = curve(&stages, 1, &schedule(Horizon::Run), 6, &each).unwrap();
        assert_eq!([run.at(6), run.at(36)], [30.0 / 36.0, 0.0]);
        let own = curve(&stages, 1, &schedule(Horizon::Stage), 6, &each).unwrap();
        assert_eq!([own.at(0), own.at(15)], [1.0, 0.5]);
        let endless = curve(&[stage(Some(10)), stage(None)], 0, &schedule(Horizon::Run), 0, &each).unwrap_err();
        assert_eq!(
            endless.message,
            "stage `s`: a linear schedule needs a span of known length; give the stage `steps`"
        );
    }
}
