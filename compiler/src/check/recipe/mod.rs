//! The experiment around a model: data, training and growth, one resolved recipe a stage.
//!
//! - [`overrides`]: what `--set` changes in the blocks.
//! - [`field`], [`block`]: which fields there are, and which of them a block says; a stage inherits the rest.
//! - [`read`], [`arguments`], [`patterns`]: values, calls and paths, as fields take them.
//! - [`data`], [`train`], [`schedule`], [`end`], [`growth`], [`rules`], [`tokens`]: one part of a stage each.
//! - [`choices`], [`vocabulary`]: what the numbers of a stage must fit.
//! - [`stages`]: puts them together.
//!
//! A field that is wrong is reported where it stands, once, however many stages inherit it.

mod arguments;
mod block;
mod choices;
mod data;
mod end;
mod field;
mod growth;
mod images;
mod overrides;
mod patterns;
mod read;
mod rules;
mod scales;
mod schedule;
mod stage_name;
mod stages;
#[cfg(test)]
mod tests;
mod tokens;
mod train;
mod vocabulary;

pub(in crate::check) use overrides::{Sections, sections};

use super::names::{Context, Names, ScopeId};
use super::value::Value;
use super::{Loader, Report};
use crate::model::{Experiment, Model};
use block::Layers;
use field::FieldName;
use tfc_grammar::ast::Expr;
use tfc_grammar::{Code, Diagnostic, Span};

/// The experiment around a model. Without one (it has errors of its own) the recipe is read all the same, for its mistakes.
pub(super) fn check(model: Option<&Model>, names: &Names, sections: &Sections, loader: &dyn Loader) -> Experiment {
    Recipe { names, model, report: names.report, loader }.experiment(sections)
}

/// What every part of a recipe may ask.
struct Recipe<'a> {
    names: &'a Names<'a>,
    model: Option<&'a Model>,
    report: &'a Report,
    loader: &'a dyn Loader,
}

impl Recipe<'_> {
    fn evaluate(&self, expr: &Expr, scope: ScopeId) -> Value {
        self.names.evaluate(expr, Context { scope, tokens: None })
    }

    /// Reports the fields without which a block cannot do and which nothing says; each with an example.
    fn needs(&self, layers: &Layers, place: Span, block: &str, fields: &[(FieldName, &str)]) {
        let missing: Vec<&(FieldName, &str)> =
            fields.iter().filter(|(name, _)| layers.field(*name).is_none()).collect();
        if missing.is_empty() {
            return;
        }
        let names: Vec<String> = missing.iter().map(|(name, _)| format!("`{}`", name.spelling())).collect();
        let message = format!("`{block}` needs {}", names.join(" and "));
        let diagnostic = Diagnostic::new(Code::MissingField, message).at(place, "does not say it");
        let help = |diagnostic: Diagnostic, (_, example): &&(FieldName, &str)| {
            diagnostic.help(format!("for example `{example}`"))
        };
        self.report.push(missing.iter().fold(diagnostic, help));
    }
}
