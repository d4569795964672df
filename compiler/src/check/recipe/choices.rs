//! Nobody can choose more of a row than it has: `top_k` in every stage.

use super::Recipe;
use crate::model::Impossible;
use tfc_grammar::{Code, Diagnostic, Span};

impl Recipe<'_> {
    /// `place` is the stage's.
    pub fn choices_fit(&self, stage: &str, place: Span, tokens: &[i64]) {
        let Some(model) = self.model else { return };
        for Impossible { k, row, span } in model.impossible_choices(&model.token_sizes(tokens)) {
            let message = format!("{k} of {row} cannot be chosen");
            let diagnostic = Diagnostic::new(Code::ValueOutOfRange, message)
                .at(span, format!("{k} in stage \"{stage}\""))
                .see(place, format!("here a row has {row}"));
            let help = match k < 1 {
                true => "choose at least one",
                false => "choose fewer, or let the row follow: `tokens chosen = 8` and `tokens ffn = 4 * chosen`",
            };
            self.report.push(diagnostic.help(help));
        }
    }
}
