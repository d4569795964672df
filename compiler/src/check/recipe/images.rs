//! How images are prepared.

use super::Recipe;
use super::arguments::{Signature, as_call};
use super::block::Layers;
use super::field::FieldName;
use crate::check::value::{Value, ValueKind};
use crate::model::{Augment, Images, InputKind};
use tfc_grammar::Code;
use tfc_grammar::ast::ExprKind;

const AUGMENT: Signature = Signature { parameters: &["crop"], flags: &["flip"] };
const NORMALIZE: Signature = Signature { parameters: &["mean", "std"], flags: &[] };

impl Recipe<'_> {
    /// `Some(None)` where the model sees no images, or the data says nothing about them.
    pub fn images(&self, layers: &Layers) -> Option<Option<Images>> {
        let Some((field, scope)) = layers.field(FieldName::Images) else { return Some(None) };
        let channels = self.channels();
        if self.model.is_some() && channels.is_none() {
            let message = "the model takes no images";
            self.report.error(Code::UnknownField, field.place, message, "there is nothing to prepare");
            return None;
        }
        let (normalize, augment) = if let ExprKind::Pipe { input, call } = &field.value.kind {
            (&**input, Some(self.augment(&self.evaluate(call, scope))?))
        } else {
            (field.value, None)
        };
        let value = self.evaluate(normalize, scope);
        match as_call(&value) {
            Some((callee @ "normalize", args)) => {
                let arguments = self.bind(callee, value.span, args, &NORMALIZE);
                let example = "normalize(mean = 0.5, std = 0.5)";
                let mean = self.required(&arguments, "mean", example).and_then(|mean| self.per_channel(mean, channels));
                let std = self.required(&arguments, "std", example)?;
                let std = self.per_channel(std, channels).map(|numbers| (numbers, std))?;
                if std.0.iter().any(|number| *number <= 0.0) {
                    return self.out_of_range(std.1, "greater than zero");
                }
                Some(Some(Images { mean: mean?, std: std.0, augment }))
            }
            Some((word, _)) => self.unknown_option(&value, word, &["normalize"]),
            None => self.expected(&value, "`normalize(…)`"),
        }
    }

    /// What stands behind `|>`.
    fn augment(&self, value: &Value) -> Option<Augment> {
        match as_call(value) {
            Some((callee @ "augment", args)) => {
                let arguments = self.bind(callee, value.span, args, &AUGMENT);
                let flip = arguments.flag("flip");
                let Some(crop) = arguments.get("crop") else {
                    if !flip {
                        let label = "says neither `crop` nor `flip`";
                        return self.refuse(Code::WrongArgumentCount, value, "`augment` changes nothing", label);
                    }
                    return Some(Augment { crop: None, flip });
                };
                let share = self.fraction(crop)?;
                if share > 0.0 && share <= 1.0 {
                    Some(Augment { crop: Some(share), flip })
                } else {
                    self.out_of_range(crop, "more than 0 % and at most 100 %")
                }
            }
            Some((word, _)) => self.unknown_option(value, word, &["augment"]),
            None => self.expected(value, "`augment(…)`"),
        }
    }

    /// Of the images that the model takes.
    fn channels(&self) -> Option<i64> {
        self.model?.inputs.iter().find_map(|input| match input.kind {
            InputKind::Image { channels, .. } => Some(channels),
            InputKind::TokenIds { .. } | InputKind::Class { .. } | InputKind::Tensor { .. } => None,
        })
    }

    /// One number for all channels, or one each.
    fn per_channel(&self, value: &Value, channels: Option<i64>) -> Option<Vec<f64>> {
        let ValueKind::Tuple(numbers) = &value.kind else { return self.number(value).map(|number| vec![number]) };
        if let Some(channels) = channels.filter(|channels| numbers.len() as i64 != *channels) {
            let label = format!("the image has {channels} channels");
            return self.refuse(Code::WrongArgumentCount, value, "one number, or one for each channel", &label);
        }
        numbers.iter().map(|number| self.number(&number.value)).collect()
    }
}
