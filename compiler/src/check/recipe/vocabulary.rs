//! Every id that the tokenizer makes needs a row in the model's embedding and, as a label, a column of its logits.

use super::Recipe;
use super::block::Layers;
use super::field::FieldName;
use crate::model::{DataRecipe, InputKind, TokenizerSource};
use tfc_grammar::{Code, Diagnostic, Span};

const BYTES: u64 = 256;

impl Recipe<'_> {
    /// Classes are as many in every stage; what they are looked up in may grow and shrink. `place` is the stage's.
    pub fn classes_fit(&self, stage: &str, place: Span, tokens: &[i64]) {
        let Some(model) = self.model else { return };
        for (input, known) in model.id_limits(&model.token_sizes(tokens)) {
            let input = &model.inputs[input];
            let InputKind::Class { classes } = input.kind else { continue };
            if classes > known.size {
                let message = format!("`{}` has {classes} classes and {} {}", input.name, known.owner, known.places());
                let place_of_use = format!("{} in stage \"{stage}\"", known.places());
                let diagnostic = Diagnostic::new(Code::ShapeMismatch, message).at(known.span, place_of_use);
                self.report.push(diagnostic.see(place, "this stage"));
            }
        }
    }

    /// A tokenizer that is not there is no concern of a check: whoever reads data will say so.
    pub fn vocabulary_fits(&self, layers: &Layers, data: &DataRecipe, tokens: &[i64]) {
        let made = match &data.tokenizer {
            TokenizerSource::Bytes => BYTES,
            TokenizerSource::File(path) => match self.loader.vocabulary(path) {
                Ok(made) => made,
                Err(_) => return,
            },
        };
        let known = self.model.and_then(|model| model.vocabulary(&model.token_sizes(tokens)));
        let Some(known) = known else { return };
        if u64::try_from(known.size).is_ok_and(|size| made <= size) {
            return;
        }
        let field = layers.field(FieldName::Tokenizer).map(|(field, _)| field.value.span);
        let place = field.unwrap_or(data.span);
        let message = format!("the tokenizer makes {made} ids and {} {}", known.owner, known.places());
        let diagnostic = Diagnostic::new(Code::VocabularyTooSmall, message).at(place, format!("{made} ids"));
        self.report.push(diagnostic.see(known.span, known.places()));
    }
}
