//! How a stage grows: what new rows hold, what becomes of scales, moments and data, what is expected.

use super::Recipe;
use super::arguments::{Signature, as_call};
use super::block::{Block, Layers};
use super::field::FieldName;
use crate::check::value::{Argument, Value, ValueKind};
use crate::model::{Amount, Drawn, Growth, GrowthInit, Init, Preservation, ScalePolicy};
use tfc_grammar::{Code, Diagnostic, Span};

const SPLIT: Signature = Signature { parameters: &["noise"], flags: &[] };
const RETUNE: Signature = Signature { parameters: &["over"], flags: &[] };
const PRESERVE: Signature = Signature { parameters: &["tolerance"], flags: &[] };
const NORMAL: Signature = Signature { parameters: &["std"], flags: &[] };
const UNIFORM: Signature = Signature { parameters: &["bound"], flags: &[] };

impl Recipe<'_> {
    /// What is not said is what the growth study found best: keys as wide as the old, values of zero, scales that follow their
    /// rules, everything else kept.
    pub fn growth(&self, layers: &Layers, place: Span, grows: bool) -> Option<Growth> {
        let value = |name| layers.value(self, name);
        let kept = [("keep", true), ("reset", false)];
        let cursors = [("continue", true), ("restart", false)];
        // Where nothing grows, what an earlier stage kept stays.
        let usual_scale = if grows { ScalePolicy::Retune { over: 0 } } else { ScalePolicy::Keep };
        let init = value(FieldName::Init).map_or(Some(FASTEST), |value| self.growth_init(&value));
        let scale = value(FieldName::Scale).map_or(Some(usual_scale), |value| self.scale_policy(&value));
        let keep_optimizer = value(FieldName::Moments).map_or(Some(true), |value| self.choice(&value, &kept));
        let continue_data = value(FieldName::DataCursor).map_or(Some(true), |value| self.choice(&value, &cursors));
        let expect = layers.stage.and_then(|stage| self.expectation(stage));
        Some(Growth {
            init: init?,
            scale: scale?,
            keep_optimizer: keep_optimizer?,
            continue_data: continue_data?,
            expect,
            span: place,
        })
    }

    fn growth_init(&self, value: &Value) -> Option<GrowthInit> {
        if let ValueKind::Tuple(halves) = &value.kind {
            return self.halves(value, halves);
        }
        match as_call(value) {
            Some((callee @ "split", args)) => {
                let arguments = self.bind(callee, value.span, args, &SPLIT);
                let noise = arguments.get("noise").map_or(Some(0.0), |noise| self.fraction(noise));
                Some(GrowthInit::Split { noise: noise? })
            }
            Some(_) => {
                let half = self.half(value, &["split", "model", "zero", "normal", "uniform"])?;
                Some(GrowthInit::New { keys: half.clone(), values: half })
            }
            None => self.expected(value, "`split`, `model` or `(keys = …, values = …)`"),
        }
    }

    /// `(keys = zero, values = normal(0.02))`; the half that is not named is drawn as the model's.
    fn halves(&self, value: &Value, halves: &[Argument]) -> Option<GrowthInit> {
        let (mut keys, mut values) = (Some(Drawn::AsModel), Some(Drawn::AsModel));
        let mut named: Vec<&str> = Vec::new();
        for half in halves {
            let words = &["model", "zero", "normal", "uniform"];
            let name = half.name.as_ref().map(|name| name.text.as_str());
            match name {
                Some("keys") => keys = self.half(&half.value, words),
                Some("values") => values = self.half(&half.value, words),
                Some(other) => {
                    let message = format!("tokens have no `{other}`");
                    self.report.error(Code::UnknownArgument, half.span, message, "they have `keys` and `values`");
                }
                None => self.report.error(
                    Code::WrongType,
                    value.span,
                    "which is for the keys, and which for the values?",
                    "write `(keys = …, values = …)`",
                ),
            }
            match name {
                Some(name) if named.contains(&name) => {
                    self.report.error(Code::DuplicateArgument, half.span, format!("`{name}` is given twice"), "again");
                }
                Some(name) => named.push(name),
                None => {}
            }
        }
        Some(GrowthInit::New { keys: keys?, values: values? })
    }

    fn half(&self, value: &Value, words: &[&str]) -> Option<Drawn> {
        let number = |signature: &Signature, example: &str| {
            let (callee, args) = as_call(value)?;
            let arguments = self.bind(callee, value.span, args, signature);
            let number = self.required(&arguments, signature.parameters[0], example)?;
            self.not_negative(number).map(Amount::Number)
        };
        match as_call(value) {
            Some(("model", [])) => Some(Drawn::AsModel),
            Some(("zero", [])) => Some(Drawn::From(Init::Zero)),
            Some(("normal", [width])) if is_old(width) => Some(Drawn::AsOld),
            Some(("normal", _)) => Some(Drawn::From(Init::Normal { std: number(&NORMAL, "normal(0.02)")? })),
            Some(("uniform", _)) => Some(Drawn::From(Init::Uniform { bound: number(&UNIFORM, "uniform(0.02)")? })),
            Some((word, _)) => self.unknown_option(value, word, words),
            None => self.expected(value, "a distribution: `normal(0.02)`"),
        }
    }

    fn scale_policy(&self, value: &Value) -> Option<ScalePolicy> {
        match as_call(value) {
            Some(("keep", [])) => Some(ScalePolicy::Keep),
            Some((callee @ "retune", args)) => {
                let arguments = self.bind(callee, value.span, args, &RETUNE);
                let over = arguments.get("over").map_or(Some(0), |over| self.whole(over));
                Some(ScalePolicy::Retune { over: over? })
            }
            Some((word, _)) => self.unknown_option(value, word, &["keep", "retune"]),
            None => self.expected(value, "`keep` or `retune`"),
        }
    }

    /// `expect preserve(1e-6)`
    fn expectation(&self, stage: &Block) -> Option<Preservation> {
        let value = self.evaluate(stage.expect?, stage.scope);
        match as_call(&value) {
            Some((callee @ "preserve", args)) => {
                let arguments = self.bind(callee, value.span, args, &PRESERVE);
                let tolerance = self.required(&arguments, "tolerance", "preserve(1e-6)")?;
                Some(Preservation { tolerance: self.positive_share(tolerance)?, span: value.span })
            }
            Some((word, _)) => self.unknown_option(&value, word, &["preserve"]),
            None => self.expected(&value, "`preserve(1e-6)`"),
        }
    }

    /// A part of something, as a number or a percentage, greater than zero.
    fn positive_share(&self, value: &Value) -> Option<f64> {
        let share = self.fraction(value)?;
        if share > 0.0 { Some(share) } else { self.out_of_range(value, "greater than zero") }
    }

    /// `init = split` repeats every token equally often.
    pub fn splits_evenly(&self, stage: &Block, layers: &Layers, before: &[i64], after: &[i64]) {
        let uneven = (0..before.len()).find(|axis| after[*axis] > before[*axis] && after[*axis] % before[*axis] != 0);
        let Some(axis) = uneven else { return };
        let path = &self.axes()[axis].path;
        let (old, new) = (before[axis], after[axis]);
        let message = format!("`{path}` cannot be split from {old} into {new} tokens");
        let diagnostic = Diagnostic::new(Code::NotAMultiple, message).at(stage.place, "grows in this stage");
        let diagnostic = match layers.field(FieldName::Init) {
            Some((init, _)) => diagnostic.see(init.value.span, "repeats every token equally often"),
            None => diagnostic,
        };
        let (below, above) = (new / old * old, (new / old + 1) * old);
        let near = if below > old { format!("{below} or {above}") } else { above.to_string() };
        self.report.push(diagnostic.help(format!("multiples of {old} near {new}: {near}")));
    }
}

/// The argument of `normal(old)`.
fn is_old(argument: &Argument) -> bool {
    argument.name.is_none() && matches!(&argument.value.kind, ValueKind::Word(word) if word == "old")
}

/// Of the growth study's search (examples/growth-study) the init that learns fastest.
const FASTEST: GrowthInit = GrowthInit::New { keys: Drawn::AsOld, values: Drawn::From(Init::Zero) };
