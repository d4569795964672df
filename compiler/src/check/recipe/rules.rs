//! `on PATTERN { lr *= f  decay = d  freeze }`: which parameters and rows, and what becomes of them.

use super::Recipe;
use super::block::Block;
use super::patterns::fits_nothing;
use crate::check::names::ScopeId;
use crate::model::{Rows, Rule};
use tfc_grammar::ast::{self, Assign, EntryKind, Part, PartKind};
use tfc_grammar::{Code, Diagnostic, Span, did_you_mean};

const FIELDS: [&str; 3] = ["lr", "decay", "freeze"];

impl Recipe<'_> {
    /// The rules of some blocks, in order: later ones win.
    pub fn rules(&self, blocks: &[Option<&Block>]) -> Vec<Rule> {
        let of = |block: &&Block| -> Vec<Rule> {
            block.rules.iter().filter_map(|rule| self.rule(rule, block.scope)).collect()
        };
        blocks.iter().flatten().flat_map(of).collect()
    }

    fn rule(&self, rule: &ast::Rule, scope: ScopeId) -> Option<Rule> {
        let (parameters, rows) = self.selection(&rule.pattern, scope)?;
        let mut resolved = Rule { parameters, rows, lr: None, decay: None, freeze: None, span: rule.pattern.span };
        for entry in &rule.block.statements {
            match &entry.kind {
                EntryKind::Field(field) => self.effect(field, scope, &mut resolved),
                EntryKind::Flag(name) if name.text == "freeze" => {
                    self.once(resolved.freeze.is_some(), "freeze", name.span);
                    resolved.freeze = Some(true);
                }
                EntryKind::Flag(name) => self.unknown_effect(&name.text, name.span),
                EntryKind::Rule(_) | EntryKind::Stage(_) | EntryKind::Expect(_) => {
                    let label = "a rule says `lr *= …`, `decay = …` or `freeze`";
                    self.report.error(Code::MisplacedEntry, entry.span, "not allowed in a rule", label);
                }
            }
        }
        Some(resolved)
    }

    fn effect(&self, field: &ast::Field, scope: ScopeId, rule: &mut Rule) {
        let span = field.target.span;
        let Some(name) = field.target.as_name() else { return self.unknown_effect("this", span) };
        let value = self.evaluate(&field.value, scope);
        match (name, field.assign) {
            ("lr", Assign::Multiply) => {
                self.once(rule.lr.is_some(), name, span);
                rule.lr = self.not_negative(&value);
            }
            ("lr", Assign::Set | Assign::Add) => {
                let diagnostic = Diagnostic::new(Code::WrongType, "a rule changes `lr` by a factor");
                self.report.push(diagnostic.at(span, "the schedule sets it").help("write `lr *= 0.1`"));
            }
            ("decay", Assign::Set) => {
                self.once(rule.decay.is_some(), name, span);
                rule.decay = self.not_negative(&value);
            }
            ("freeze", Assign::Set) => {
                self.once(rule.freeze.is_some(), name, span);
                rule.freeze = self.flag(&value);
            }
            ("decay" | "freeze", Assign::Add | Assign::Multiply) => {
                let message = format!("`{name}` is set by `=`");
                self.report.error(Code::WrongType, span, message, "not relative to what it was");
            }
            (_, _) => self.unknown_effect(name, span),
        }
    }

    fn once(&self, said: bool, name: &str, span: Span) {
        if said {
            self.report.error(Code::DuplicateField, span, format!("`{name}` is said twice"), "said again");
        }
    }

    fn unknown_effect(&self, name: &str, span: Span) {
        let diagnostic = Diagnostic::new(Code::UnknownField, format!("a rule has no field `{name}`"));
        let diagnostic = diagnostic.at(span, "expected `lr`, `decay` or `freeze`");
        self.report.push(match did_you_mean(name, FIELDS) {
            Some(near) => diagnostic.suggest("there is a similar field", span, near),
            None => diagnostic,
        });
    }

    /// The parameters and rows that a rule is about.
    fn selection(&self, pattern: &ast::Pattern, scope: ScopeId) -> Option<(Vec<usize>, Rows)> {
        let (parts, rows) = rows(&pattern.parts);
        let fitting = match parts {
            [] => None,
            parts => Some(self.pattern(parts, scope)?),
        };
        let Some(model) = self.model else { return Some((Vec::new(), rows)) };
        let path = |index: &usize| model.parameters[*index].path.as_str();
        let fits = |index: &usize| fitting.as_ref().is_none_or(|pattern| pattern.fits(path(index)));
        let candidates: Vec<usize> = (0..model.parameters.len())
            .filter(|index| rows == Rows::All || !model.parameters[*index].grows.is_empty())
            .collect();
        let parameters: Vec<usize> = candidates.iter().copied().filter(fits).collect();
        if parameters.is_empty() {
            let paths: Vec<&str> = candidates.iter().map(path).collect();
            let message = match rows {
                Rows::All => "the pattern fits no parameter",
                Rows::Old | Rows::New => "the pattern fits no parameter that grows",
            };
            self.report.push(match &fitting {
                Some(fitting) => fits_nothing(Code::NoMatch, message.into(), pattern.span, parts, fitting, &paths),
                None => Diagnostic::new(Code::NoMatch, message).at(pattern.span, "no parameter holds tokens"),
            });
            return None;
        }
        Some((parameters, rows))
    }
}

/// `old` or `new` at the end of a pattern selects rows; before it may stand the path that they are rows of.
fn rows(parts: &[Part]) -> (&[Part], Rows) {
    match parts {
        [path @ .., Part { kind: PartKind::Name(name), index: None, .. }] if name == "old" => (path, Rows::Old),
        [path @ .., Part { kind: PartKind::Name(name), index: None, .. }] if name == "new" => (path, Rows::New),
        parts => (parts, Rows::All),
    }
}
