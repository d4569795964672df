//! A scale that follows its rule is a number: in the first stage, and in those that retune it.

use super::Recipe;
use crate::check::value::lost;
use tfc_grammar::{Code, Diagnostic, Span};

impl Recipe<'_> {
    /// `place` is the stage's, where scales follow their rules.
    pub fn scales_are_numbers(&self, stage: &str, place: Span, tokens: &[i64]) {
        let Some(model) = self.model else { return };
        let sizes = model.token_sizes(tokens);
        let values = model.scales.iter().map(|scale| (scale, scale.rule.eval(&sizes)));
        let Some((scale, value)) = values.into_iter().find(|(_, v)| !v.is_finite() || lost(*v).is_some()) else {
            return;
        };
        let message = format!("the scale `{}` would be {value} in stage \"{stage}\"", scale.path);
        let diagnostic = Diagnostic::new(Code::ValueOutOfRange, message).at(scale.span, "by this rule");
        self.report.push(diagnostic.see(place, "at the tokens of this stage"));
    }
}
