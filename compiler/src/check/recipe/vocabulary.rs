//! Every id that the tokenizer makes needs a row in the model's embedding.

use super::Recipe;
use super::block::Layers;
use super::field::FieldName;
use crate::model::{Application, DataRecipe, Model, Primitive, TokenizerSource};
use tfc_grammar::{Code, Diagnostic, Span};

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
        let Some((rows, table)) = self.model.and_then(|model| embedded(model, tokens)) else { return };
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

/// The rows of the smallest table in which the input's ids are looked up, and its place.
fn embedded(model: &Model, tokens: &[i64]) -> Option<(i64, Span)> {
    let values = &model.program.values;
    let embeds = values.iter().filter(|value| value.primitive == Primitive::Embed);
    let from_input = embeds.filter(|value| {
        let ids = &values[value.operands[0].0 as usize].primitive;
        matches!(ids, Primitive::Input(_) | Primitive::Next(_))
    });
    let sizes = model.token_sizes(tokens);
    let table = |value: &Application| {
        let table = &values[value.operands[1].0 as usize];
        (table.ty.shape[0].eval(&sizes), value.span)
    };
    from_input.map(table).min_by_key(|(rows, _)| *rows)
}
