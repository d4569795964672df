//! When a stage is over, and whether its schedule knows.

use super::Recipe;
use super::arguments::Signature;
use super::block::{Block, Layers};
use super::field::FieldName;
use crate::check::value::{Value, ValueKind};
use crate::model::{End, Metric, Schedule, ScheduleKind, ScheduleSpan, Until};
use tfc_grammar::ast::BinaryOp;
use tfc_grammar::{Code, Diagnostic, Span};

const PLATEAU: Signature = Signature { parameters: &["metric", "patience", "delta"], flags: &[] };
const LENGTHS: [FieldName; 3] = [FieldName::Steps, FieldName::Tokens, FieldName::Flops];

impl Recipe<'_> {
    /// A stage that says a length of its own does not inherit another.
    pub fn end(&self, layers: &Layers) -> End {
        let says_length = |block: &&Block| LENGTHS.iter().any(|name| block.field(*name).is_some());
        let block = layers.stage.filter(says_length).or(layers.train);
        let length = |name| {
            let block = block?;
            Some(self.evaluate(block.field(name)?.value, block.scope))
        };
        End {
            steps: length(FieldName::Steps).and_then(|value| self.count(&value)),
            tokens: length(FieldName::Tokens).and_then(|value| self.count(&value)),
            flops: length(FieldName::Flops).and_then(|value| self.above_zero(&value)),
            until: layers.value(self, FieldName::Until).and_then(|value| self.until(&value)),
        }
    }

    /// Whether the stage says how long it is at most, rightly or wrongly.
    pub fn has_length(&self, layers: &Layers) -> bool {
        LENGTHS.iter().any(|name| layers.field(*name).is_some())
    }

    /// A stage needs a length: to be sure to end, and for its schedule.
    pub fn needs_length(&self, layers: &Layers, place: Span) {
        let schedule = layers.value(self, FieldName::Schedule).and_then(|value| self.schedule(&value));
        let (spanning, why) = match schedule {
            Some(Schedule { kind: ScheduleKind::Cosine | ScheduleKind::Linear | ScheduleKind::Wsd { .. }, .. }) => {
                (true, "the schedule runs over the whole stage")
            }
            Some(Schedule { warmup: ScheduleSpan::Fraction(_), .. }) => (true, "the warmup is a part of the stage"),
            Some(Schedule { kind: ScheduleKind::Constant, .. }) | None => (false, ""),
        };
        let diagnostic = match layers.field(FieldName::Schedule) {
            Some((field, _)) if spanning => {
                let diagnostic = Diagnostic::new(Code::UnknownLength, "the span of the schedule has no known length");
                diagnostic.at(field.value.span, why).see(place, "how long this is, it does not say")
            }
            Some(_) | None => {
                let diagnostic = Diagnostic::new(Code::EndlessStage, "nothing ends this stage for certain");
                diagnostic.at(place, "needs `steps`, `tokens` or `flops`")
            }
        };
        let diagnostic = match layers.field(FieldName::Until) {
            Some((until, _)) => diagnostic.see(until.place, "may end it, earlier"),
            None => diagnostic,
        };
        self.report.push(diagnostic.help("say how long it is at most: `steps = 100K`"));
    }

    fn until(&self, value: &Value) -> Option<Until> {
        match &value.kind {
            ValueKind::Comparison { op, left, right } => match (&left.kind, &right.kind) {
                (ValueKind::Word(_), _) => self.threshold(value, *op, left, right),
                (_, _) => self.threshold(value, flipped(*op), right, left),
            },
            ValueKind::Call { name, args } if name.text == "plateau" => {
                let arguments = self.bind("plateau", value.span, args, &PLATEAU);
                let example = "plateau(loss, patience = 3, delta = 0.2%)";
                let metric = self.required(&arguments, "metric", example).and_then(|metric| self.metric(metric));
                let patience = self.required(&arguments, "patience", example).and_then(|value| self.count(value));
                let delta = arguments.get("delta").map_or(Some(0.0), |value| self.fraction(value));
                let patience = u32::try_from(patience?).unwrap_or(u32::MAX);
                Some(Until::Plateau { metric: metric?, patience, delta: delta? })
            }
            ValueKind::Call { name, .. } => self.unknown_option(value, &name.text, &["plateau"]),
            ValueKind::Word(word) => self.unknown_option(value, word, &["plateau"]),
            ValueKind::Number { .. }
            | ValueKind::Text(_)
            | ValueKind::Flag(_)
            | ValueKind::Tuple(_)
            | ValueKind::Error => self.expected(value, "a condition: `plateau(…)` or `loss <= 2.9`"),
        }
    }

    fn threshold(&self, whole: &Value, op: BinaryOp, metric: &Value, bound: &Value) -> Option<Until> {
        let metric = self.metric(metric);
        let value = self.number(bound)?;
        match op {
            BinaryOp::Less | BinaryOp::LessEqual => Some(Until::AtMost { metric: metric?, value }),
            BinaryOp::Greater | BinaryOp::GreaterEqual => Some(Until::AtLeast { metric: metric?, value }),
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::Multiply
            | BinaryOp::Divide => self.refuse(
                Code::UnknownOption,
                whole,
                "a condition compares by `<=` or `>=`",
                "is hardly ever met exactly",
            ),
        }
    }

    /// `loss`, or a scalar bound beside it.
    fn metric(&self, value: &Value) -> Option<Metric> {
        let ValueKind::Word(word) = &value.kind else { return self.expected(value, "a metric: `loss`") };
        let Some(model) = self.model else { return Some(Metric(word.clone())) };
        let metrics = model.program.metrics.iter().map(|(name, _)| name.as_str());
        let known: Vec<&str> = ["loss"].into_iter().chain(metrics).collect();
        if known.contains(&word.as_str()) {
            Some(Metric(word.clone()))
        } else {
            self.unknown_option(value, word, &known)
        }
    }

    /// A condition is looked at when the model is evaluated.
    pub fn condition_is_evaluated(&self, layers: &Layers) {
        let Some((until, _)) = layers.field(FieldName::Until) else { return };
        if layers.field(FieldName::Evaluate).is_none() {
            let diagnostic = Diagnostic::new(Code::MissingField, "the condition is never looked at");
            let diagnostic = diagnostic.at(until.place, "looked at at each evaluation, and there is none");
            self.report.push(diagnostic.help("evaluate regularly: `evaluate = every(1K)`"));
        }
    }
}

/// The comparison with its sides exchanged.
fn flipped(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Add
        | BinaryOp::Subtract
        | BinaryOp::Multiply
        | BinaryOp::Divide => op,
    }
}
