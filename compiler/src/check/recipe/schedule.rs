//! How the learning rate moves.

use super::Recipe;
use super::arguments::{Arguments, Signature, as_call};
use crate::check::value::{Value, ValueKind};
use crate::model::{Horizon, Schedule, ScheduleKind, ScheduleSpan};
use tfc_grammar::Code;

const HORIZON: &[&str] = &["restart", "continue"];
const TO_A_FLOOR: Signature = Signature { parameters: &["warmup", "floor"], flags: HORIZON };
const CONSTANT: Signature = Signature { parameters: &["warmup"], flags: HORIZON };
const WSD: Signature = Signature { parameters: &["warmup", "decay", "floor"], flags: HORIZON };

/// Where the official recipe's cosine ends.
const COSINE_FLOOR: f64 = 0.1;
/// The last part of a `wsd` schedule, where it says nothing.
const WSD_DECAY: ScheduleSpan = ScheduleSpan::Fraction(0.2);

impl Recipe<'_> {
    pub fn schedule(&self, value: &Value) -> Option<Schedule> {
        let Some((callee, args)) = as_call(value) else { return self.expected(value, "a schedule: `cosine(…)`") };
        let bind = |signature| self.bind(callee, value.span, args, signature);
        match callee {
            "cosine" => self.resolved(ScheduleKind::Cosine, COSINE_FLOOR, &bind(&TO_A_FLOOR)),
            "linear" => self.resolved(ScheduleKind::Linear, 0.0, &bind(&TO_A_FLOOR)),
            "constant" => self.resolved(ScheduleKind::Constant, 0.0, &bind(&CONSTANT)),
            "wsd" => {
                let arguments = bind(&WSD);
                let decay = arguments.get("decay").map_or(Some(WSD_DECAY), |decay| self.schedule_span(decay));
                self.resolved(ScheduleKind::Wsd { decay: decay? }, 0.0, &arguments)
            }
            word => self.unknown_option(value, word, &["cosine", "wsd", "linear", "constant"]),
        }
    }

    fn resolved(&self, kind: ScheduleKind, floor: f64, arguments: &Arguments) -> Option<Schedule> {
        let none = Some(ScheduleSpan::Steps(0));
        let warmup = arguments.get("warmup").map_or(none, |warmup| self.schedule_span(warmup));
        let floor = arguments.get("floor").map_or(Some(floor), |floor| self.fraction(floor));
        if arguments.flag("restart") && arguments.flag("continue") {
            let message = "a schedule cannot both restart and continue";
            self.report.error(Code::DuplicateArgument, arguments.span, message, "keep one of the two");
        }
        let horizon = if arguments.flag("continue") { Horizon::Run } else { Horizon::Stage };
        Some(Schedule { kind, warmup: warmup?, floor: floor?, horizon })
    }

    /// Steps, or a percentage of the schedule's span.
    fn schedule_span(&self, value: &Value) -> Option<ScheduleSpan> {
        if let ValueKind::Number { percent: true, .. } = value.kind {
            return self.fraction(value).map(ScheduleSpan::Fraction);
        }
        self.whole(value).map(ScheduleSpan::Steps)
    }
}
