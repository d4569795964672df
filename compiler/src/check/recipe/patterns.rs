//! Patterns as written to patterns that fit paths, and what to say when they fit none.

use super::Recipe;
use crate::check::names::ScopeId;
use crate::check::value::Value;
use crate::model::{PathPattern, PatternPart, path_parts};
use std::collections::BTreeSet;
use std::ops::Range;
use tfc_grammar::ast::{Expr, ExprKind, Part, PartKind};
use tfc_grammar::{Code, Diagnostic, Span, did_you_mean};

impl Recipe<'_> {
    /// Indices are constant expressions; what is wrong with them is reported.
    pub fn pattern(&self, parts: &[Part], scope: ScopeId) -> Option<PathPattern> {
        let parts: Vec<Option<PatternPart>> = parts.iter().map(|part| self.pattern_part(part, scope)).collect();
        Some(PathPattern { parts: parts.into_iter().collect::<Option<_>>()? })
    }

    fn pattern_part(&self, part: &Part, scope: ScopeId) -> Option<PatternPart> {
        match (&part.kind, &part.index) {
            (PartKind::Any, None) => Some(PatternPart::Any),
            (PartKind::Any, Some(index)) => {
                self.report.error(
                    Code::MisplacedEntry,
                    index.span,
                    "`*` has no index",
                    "an index stands behind a name",
                );
                None
            }
            (PartKind::Name(name) | PartKind::Text(name), None) => {
                Some(PatternPart::Named { name: name.clone(), indices: None })
            }
            (PartKind::Name(name) | PartKind::Text(name), Some(index)) => {
                Some(PatternPart::Named { name: name.clone(), indices: Some(self.indices(index, scope)?) })
            }
        }
    }

    fn indices(&self, index: &Expr, scope: ScopeId) -> Option<Range<u64>> {
        let number = |expr: &Expr| self.whole(&self.evaluate(expr, scope));
        let ExprKind::Range { start, end } = &index.kind else {
            let only = number(index)?;
            return Some(only..only + 1);
        };
        let start = start.as_ref().map_or(Some(0), |start| number(start))?;
        let end = end.as_ref().map_or(Some(u64::MAX), |end| number(end))?;
        if start < end {
            return Some(start..end);
        }
        self.refuse(
            Code::IndexOutOfRange,
            &Value::error(index.span),
            "the range is empty",
            "the end does not belong to it",
        )
    }
}

/// What to say of a pattern that fits none of the paths.
pub(super) fn fits_nothing(
    code: Code,
    message: String,
    span: Span,
    written: &[Part],
    pattern: &PathPattern,
    paths: &[&str],
) -> Diagnostic {
    let diagnostic = Diagnostic::new(code, message);
    let parts: BTreeSet<(&str, Option<u64>)> =
        paths.iter().flat_map(|path| path_parts(path)).map(|part| (part.name, part.index)).collect();
    for (part, written) in pattern.parts.iter().zip(written) {
        let PatternPart::Named { name, indices } = part else { continue };
        let found: Vec<Option<u64>> = parts.iter().filter(|(n, _)| n == name).map(|(_, index)| *index).collect();
        if found.is_empty() {
            let diagnostic = diagnostic.at(written.span, format!("none of them has a part `{name}`"));
            let names: BTreeSet<&str> = parts.iter().map(|(name, _)| *name).collect();
            return match did_you_mean(name, names.iter().copied()) {
                Some(near) => diagnostic.suggest("there is a similar name", written.span, near),
                None => diagnostic.note(format!("the names are {}", names.into_iter().collect::<Vec<_>>().join(", "))),
            };
        }
        let largest = found.iter().flatten().max();
        match (indices, largest) {
            (Some(range), Some(largest)) if range.start > *largest => {
                return diagnostic.at(written.span, format!("`{name}` has the indices 0 to {largest}"));
            }
            (Some(_), None) => return diagnostic.at(written.span, format!("`{name}` is not repeated")),
            (Some(_) | None, _) => {}
        }
    }
    let diagnostic = diagnostic.at(span, "these parts do not follow each other");
    match nearest(pattern, paths) {
        Some(path) => diagnostic.note(format!("a path is, for example, {path}")),
        None => diagnostic,
    }
}

/// The first of the paths that have the most names of the pattern.
fn nearest<'p>(pattern: &PathPattern, paths: &[&'p str]) -> Option<&'p str> {
    let common = |path: &str| {
        let has = |name: &str| path_parts(path).iter().any(|part| part.name == name);
        let named = |part: &&PatternPart| matches!(part, PatternPart::Named { name, .. } if has(name));
        pattern.parts.iter().filter(named).count()
    };
    // Of equals `max_by_key` takes the last.
    paths.iter().rev().max_by_key(|path| common(path)).copied()
}
