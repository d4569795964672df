//! What a stage trains and validates on.

use super::Recipe;
use super::arguments::{Signature, as_call};
use super::block::Layers;
use super::field::FieldName;
use crate::check::value::{Argument, Value, ValueKind};
use crate::model::{Application, Corpus, DataRecipe, Documents, Primitive, TokenizerSource, Validation, ValueId};
use crate::size::{Size, Symbol};
use tfc_grammar::{Code, Diagnostic};

const JOIN: Signature = Signature { parameters: &["end"], flags: &[] };
const HOLD_OUT: Signature = Signature { parameters: &["share"], flags: &[] };

impl Recipe<'_> {
    /// None without a `data` block, or where something is wrong with it.
    pub fn data(&self, layers: &Layers) -> Option<DataRecipe> {
        let place = layers.data?.place;
        let value = |name| layers.value(self, name);
        self.needs(layers, place, "data", &[(FieldName::TrainingData, "train = \"data/train\"")]);
        let train = value(FieldName::TrainingData).and_then(|value| self.corpus(&value));
        let validate = value(FieldName::Validate).map_or(Some(Vec::new()), |value| self.validation(&value));
        let tokenizer = value(FieldName::Tokenizer).map_or(Some(TokenizerSource::Bytes), |v| self.tokenizer(&v));
        let documents = value(FieldName::Documents).map_or(Some(Documents::Join { end: None }), |v| self.documents(&v));
        let images = self.images(layers);
        Some(DataRecipe {
            train: train?,
            validate: validate?,
            tokenizer: tokenizer?,
            documents: documents?,
            images: images?,
            span: place,
        })
    }

    /// One path, or several in parentheses.
    fn corpus(&self, value: &Value) -> Option<Corpus> {
        if let Some(("mix", parts)) = as_call(value) {
            return self.mixture(value, parts);
        }
        let ValueKind::Tuple(paths) = &value.kind else {
            return self.text(value).map(|path| Corpus { paths: vec![path] });
        };
        let paths: Vec<Option<String>> = paths.iter().map(|path| self.text(&path.value)).collect();
        Some(Corpus { paths: paths.into_iter().collect::<Option<_>>()? })
    }

    /// `mix("a" : 70%, "b" : 30%)`, which is understood but not yet supported.
    fn mixture<T>(&self, whole: &Value, parts: &[Argument]) -> Option<T> {
        let share = |part: &Argument| {
            self.text(&part.value)?;
            match &part.share {
                Some(share) => self.fraction(share),
                None => self.refuse(Code::SharesNotWhole, &part.value, "a part without a share", "write `\"…\" : 30%`"),
            }
        };
        let shares: Vec<Option<f64>> = parts.iter().map(share).collect();
        let sum: f64 = shares.into_iter().sum::<Option<f64>>()?;
        if (sum - 1.0).abs() > 1e-9 {
            let label = format!("the shares add up to {} %", rounded_percent(sum));
            return self.refuse(Code::SharesNotWhole, whole, "the shares are not a whole", &label);
        }
        let help = "train on one corpus a stage, or on several in sequence: `train = (\"a\", \"b\")`";
        self.not_yet_supported(whole, "mixing corpora by shares", help)
    }

    /// One set, which has no name, or several with names.
    fn validation(&self, value: &Value) -> Option<Vec<(String, Validation)>> {
        let ValueKind::Tuple(sets) = &value.kind else {
            return self.validation_set(value).map(|set| vec![(String::new(), set)]);
        };
        if sets.iter().all(|set| set.name.is_none()) {
            return self.corpus(value).map(|corpus| vec![(String::new(), Validation::Paths(corpus))]);
        }
        let named = |set: &Argument| match &set.name {
            Some(name) => Some((name.text.clone(), self.validation_set(&set.value)?)),
            None => self.refuse(Code::WrongType, &set.value, "a validation set without a name", "the others have one"),
        };
        let made: Vec<Option<(String, Validation)>> = sets.iter().map(named).collect();
        for (i, set) in sets.iter().enumerate() {
            let same = |other: &&Argument| matches!((&other.name, &set.name), (Some(a), Some(b)) if a.text == b.text);
            if let Some(first) = sets[..i].iter().find(same) {
                let name = set.name.as_ref().map_or("", |name| &name.text);
                let diagnostic =
                    Diagnostic::new(Code::DuplicateArgument, format!("two validation sets are named `{name}`"));
                self.report.push(diagnostic.at(set.value.span, "the second").see(first.value.span, "the first"));
                return None;
            }
        }
        let is_held_out = |set: &&Argument| matches!(as_call(&set.value), Some(("hold_out", _)));
        if let Some(second) = sets.iter().filter(is_held_out).nth(1) {
            let help = "hold out one set, and name files for the others";
            return self.not_yet_supported(&second.value, "a second set that is held out", help);
        }
        made.into_iter().collect()
    }

    fn validation_set(&self, value: &Value) -> Option<Validation> {
        match as_call(value) {
            Some((callee @ "hold_out", args)) => {
                let arguments = self.bind(callee, value.span, args, &HOLD_OUT);
                let share = self.required(&arguments, "share", "hold_out(0.5%)")?;
                let fraction = self.fraction(share)?;
                if fraction > 0.0 && fraction < 1.0 {
                    Some(Validation::HoldOut(fraction))
                } else {
                    self.out_of_range(share, "more than 0 % and less than 100 %")
                }
            }
            Some((word, _)) => self.unknown_option(value, word, &["hold_out"]),
            None => self.corpus(value).map(Validation::Paths),
        }
    }

    fn tokenizer(&self, value: &Value) -> Option<TokenizerSource> {
        match &value.kind {
            ValueKind::Text(path) => Some(TokenizerSource::File(path.clone())),
            ValueKind::Number { .. }
            | ValueKind::Word(_)
            | ValueKind::Flag(_)
            | ValueKind::Call { .. }
            | ValueKind::Tuple(_)
            | ValueKind::Comparison { .. }
            | ValueKind::Error => self.choice(value, &[("bytes", TokenizerSource::Bytes)]),
        }
    }

    fn documents(&self, value: &Value) -> Option<Documents> {
        match as_call(value) {
            Some((callee @ "join", args)) => {
                let arguments = self.bind(callee, value.span, args, &JOIN);
                let end = arguments.get("end").map(|end| self.text(end));
                Some(Documents::Join { end: end.map_or(Some(None), |end| end.map(Some))? })
            }
            Some(("separate", [])) => self.separate(value),
            Some((word, _)) => self.unknown_option(value, word, &["join", "separate"]),
            None => self.expected(value, "`join` or `separate`"),
        }
    }

    /// Documents kept apart, which takes attention among the positions of a sequence.
    fn separate(&self, value: &Value) -> Option<Documents> {
        let values = self.model.map_or(&[][..], |model| &model.program.values);
        let of_ids = [Symbol::BATCH, Symbol::SEQUENCE].map(Size::symbol);
        let is_sequence = |id: &ValueId| values[id.0 as usize].ty.shape.get(..2) == Some(&of_ids[..]);
        let begins_anew = |application: &Application| {
            let follows_positions =
                matches!(application.primitive, Primitive::Attention { .. } | Primitive::Rope { .. });
            !follows_positions || application.operands.iter().all(is_sequence)
        };
        let other = values.iter().find(|application| !begins_anew(application)).map(|other| other.span);
        let meet = || self.model.and_then(|model| model.program.positions_meet());
        let attention = "separate documents are not yet supported with attention among what is no sequence of ids";
        let elsewhere = "separate documents are not yet supported where positions meet outside of attention";
        let found = other.map(|span| (attention, span)).or_else(|| meet().map(|span| (elsewhere, span)));
        let Some((message, span)) = found else { return Some(Documents::Separate) };
        let help = "join the documents: `documents = join(end = \"<|endoftext|>\")`";
        let diagnostic = Diagnostic::new(Code::NotYetSupported, message).at(value.span, "");
        self.report.push(diagnostic.see(span, "this does not start anew at each document").help(help));
        None
    }

    pub fn not_yet_supported<T>(&self, value: &Value, what: &str, help: &str) -> Option<T> {
        let diagnostic = Diagnostic::new(Code::NotYetSupported, format!("{what} is not yet supported"));
        self.report.push(diagnostic.at(value.span, "").help(help));
        None
    }
}

fn rounded_percent(share: f64) -> f64 {
    (share * 1e5).round() / 1e3
}
