//! Every id that the tokenizer makes needs a row in the model's embedding and, as a label, a column of its logits.

use super::Recipe;
use super::block::Layers;
use super::field::FieldName;
use crate::model::{DataRecipe, TokenizerSource};
use tfc_grammar::{Code, Diagnostic};

const BYTES: u64 = 256;

impl Recipe<'_> {
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
        let message = format!("the tokenizer makes {made} ids and {} {} {}", known.owner, known.size, known.unit);
        let diagnostic = Diagnostic::new(Code::VocabularyTooSmall, message).at(place, format!("{made} ids"));
        self.report.push(diagnostic.see(known.span, format!("{} {}", known.size, known.unit)));
    }
}
