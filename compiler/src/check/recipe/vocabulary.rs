//! Every id that the tokenizer makes needs a row in the model's embedding.

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
        let embedded = self.model.and_then(|model| model.vocabulary(&model.token_sizes(tokens)));
        let Some((rows, table)) = embedded else { return };
        if u64::try_from(rows).is_ok_and(|rows| made <= rows) {
            return;
        }
        let field = layers.field(FieldName::Tokenizer).map(|(field, _)| field.value.span);
        let place = field.unwrap_or(data.span);
        let message = format!("the tokenizer makes {made} ids and the embedding has {rows} rows");
        let diagnostic = Diagnostic::new(Code::VocabularyTooSmall, message).at(place, format!("{made} ids"));
        self.report.push(diagnostic.see(table, format!("{rows} rows")));
    }
}
