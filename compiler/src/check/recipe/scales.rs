//! A scale that follows its rule is a number: in the first stage, and in those that retune it. So is the width of what parameters are drawn from.

use super::Recipe;
use crate::check::value::lost;
use crate::model::{Init, Parameter};
use tfc_grammar::{Code, Diagnostic, Span};

impl Recipe<'_> {
    /// In every stage, for rows are drawn in whichever grows. `place` is the stage's.
    pub fn widths_are_numbers(&self, stage: &str, place: Span, tokens: &[i64]) {
        let Some(model) = self.model else { return };
        let sizes = model.token_sizes(tokens);
        let width = |parameter: &Parameter| match &parameter.init {
            Init::Zero | Init::One => 0.0,
            Init::Normal { std: width } | Init::Uniform { bound: width } => width.eval(&sizes),
        };
        let is_none = |width: f64| !width.is_finite() || width < 0.0 || lost(width).is_some();
        let widths = model.parameters.iter().map(|parameter| (parameter, width(parameter)));
        let Some((parameter, width)) = widths.into_iter().find(|(_, width)| is_none(*width)) else { return };
        let message =
            format!("`{}` would be drawn from a distribution as wide as {width} in stage \"{stage}\"", parameter.path);
        let diagnostic = Diagnostic::new(Code::ValueOutOfRange, message).at(parameter.span, "by its `init`");
        self.report.push(diagnostic.see(place, "at the tokens of this stage"));
    }

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
