//! How a stage trains: everything but its rules and its end.

use super::Recipe;
use super::arguments::{Signature, as_call};
use super::block::Layers;
use super::field::FieldName;
use crate::check::value::{LARGEST, Value, ValueKind};
use crate::model::{Cadence, Optimizer, Rule, Schedule, ScheduleKind, TrainRecipe};
use crate::model::{Horizon, ScheduleSpan};
use crate::precision::Precision;
use tfc_grammar::{Code, Diagnostic};

const EVALUATE: Signature = Signature { parameters: &["steps", "batches"], flags: &[] };
const CHECKPOINT: Signature = Signature { parameters: &["steps", "keep"], flags: &[] };
const ADAMW: Signature = Signature { parameters: &["lr", "betas", "eps", "decay", "clip"], flags: &[] };

impl Recipe<'_> {
    /// None without a `train` block, or where something is wrong with it.
    pub fn train(&self, layers: &Layers, rules: Vec<Rule>) -> Option<TrainRecipe> {
        let place = layers.train?.place;
        let value = |name| layers.value(self, name);
        let needed = [(FieldName::Batch, "batch = 512"), (FieldName::Optimizer, "optimizer = adamw(lr = 6e-4)")];
        self.needs(layers, place, "train", &needed);
        let batch = value(FieldName::Batch).and_then(|value| self.batch(&value));
        let precisions = [Precision::F32, Precision::Bf16].map(|precision| (precision.name(), precision));
        let precision = value(FieldName::Precision).map_or(Some(Precision::F32), |v| self.choice(&v, &precisions));
        let optimizer = value(FieldName::Optimizer).and_then(|value| self.optimizer(&value));
        let schedule = value(FieldName::Schedule).map_or(Some(CONSTANT), |value| self.schedule(&value));
        let evaluate = self.cadence(value(FieldName::Evaluate), &EVALUATE, "every(1K, batches = 100)");
        let checkpoint = self.cadence(value(FieldName::Checkpoint), &CHECKPOINT, "every(500, keep = 6)");
        self.evaluation_has_data(layers);
        let ((evaluate, evaluate_batches), (checkpoint, keep)) = (evaluate?, checkpoint?);
        Some(TrainRecipe {
            batch: batch?,
            precision: precision?,
            optimizer: optimizer?,
            schedule: schedule?,
            evaluate,
            evaluate_batches,
            checkpoint,
            keep,
            rules,
            span: place,
        })
    }

    /// Sequences, or images, whose tokens can be counted.
    fn batch(&self, value: &Value) -> Option<u64> {
        let batch = self.count(value)?;
        let context = self.model.and_then(|model| model.context).unwrap_or(1);
        if batch as f64 * context as f64 <= LARGEST {
            return Some(batch);
        }
        let label = format!("{batch} sequences of {context} tokens are more than 2^53");
        self.refuse(Code::SizeOverflow, value, "the batch is too large", &label)
    }

    /// `every(STEPS, SECOND)`, where the second argument is one of its signature's.
    fn cadence(
        &self,
        value: Option<Value>,
        signature: &Signature,
        example: &str,
    ) -> Option<(Option<Cadence>, Option<u64>)> {
        let Some(value) = value else { return Some((None, None)) };
        match as_call(&value) {
            Some((callee @ "every", args)) => {
                let arguments = self.bind(callee, value.span, args, signature);
                let steps = self.required(&arguments, "steps", example).and_then(|steps| self.count(steps));
                let second = arguments.get(signature.parameters[1]).map(|second| self.count(second));
                let second = second.map_or(Some(None), |second| second.map(Some));
                Some((Some(Cadence::Every(steps?)), second?))
            }
            Some((word, _)) => self.unknown_option(&value, word, &["every"]),
            None => self.expected(&value, &format!("`{example}`")),
        }
    }

    fn evaluation_has_data(&self, layers: &Layers) {
        let Some((evaluate, _)) = layers.field(FieldName::Evaluate) else { return };
        if layers.data.is_some() && layers.field(FieldName::Validate).is_none() {
            let diagnostic = Diagnostic::new(Code::MissingField, "there is nothing to evaluate on");
            let diagnostic = diagnostic.at(evaluate.place, "needs `validate` in `data`");
            self.report.push(diagnostic.help("for example `validate = hold_out(0.5%)`"));
        }
    }

    fn optimizer(&self, value: &Value) -> Option<Optimizer> {
        match as_call(value) {
            Some((callee @ "adamw", args)) => {
                let arguments = self.bind(callee, value.span, args, &ADAMW);
                let or = |name: &str, default: f64, read: fn(&Self, &Value) -> Option<f64>| {
                    arguments.get(name).map_or(Some(default), |value| read(self, value))
                };
                let lr = self.required(&arguments, "lr", "adamw(lr = 6e-4)").and_then(|lr| self.not_negative(lr));
                let betas = arguments.get("betas").map_or(Some((0.9, 0.95)), |betas| self.betas(betas));
                let eps = or("eps", 1e-8, Recipe::positive);
                let decay = or("decay", 0.1, Recipe::not_negative);
                let clip = arguments.get("clip").map_or(Some(Some(1.0)), |clip| self.clip(clip));
                let (beta1, beta2) = betas?;
                Some(Optimizer { lr: lr?, beta1, beta2, eps: eps?, decay: decay?, clip: clip? })
            }
            Some((word, _)) => self.unknown_option(value, word, &["adamw"]),
            None => self.expected(value, "`adamw(lr = …)`"),
        }
    }

    fn betas(&self, value: &Value) -> Option<(f64, f64)> {
        let ValueKind::Tuple(betas) = &value.kind else { return self.expected(value, "two numbers: `(0.9, 0.95)`") };
        let [first, second] = betas.as_slice() else { return self.expected(value, "two numbers: `(0.9, 0.95)`") };
        let beta = |value: &Value| {
            let beta = self.number(value)?;
            if (0.0..1.0).contains(&beta) { Some(beta) } else { self.out_of_range(value, "at least 0 and below 1") }
        };
        let (first, second) = (beta(&first.value), beta(&second.value));
        Some((first?, second?))
    }

    /// `clip = none` does not clip.
    fn clip(&self, value: &Value) -> Option<Option<f64>> {
        match &value.kind {
            ValueKind::Word(word) if word == "none" => Some(None),
            ValueKind::Number { .. }
            | ValueKind::Text(_)
            | ValueKind::Word(_)
            | ValueKind::Flag(_)
            | ValueKind::Call { .. }
            | ValueKind::Tuple(_)
            | ValueKind::Comparison { .. }
            | ValueKind::Error => self.positive(value).map(Some),
        }
    }
}

/// Without a `schedule` the learning rate stays what it is.
const CONSTANT: Schedule =
    Schedule { kind: ScheduleKind::Constant, warmup: ScheduleSpan::Steps(0), floor: 0.0, horizon: Horizon::Stage };
