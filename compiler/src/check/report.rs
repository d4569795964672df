//! Where diagnostics gather: shared by everything that checks, each error said once.

use std::cell::RefCell;
use tfc_grammar::{Code, Diagnostic, Span};

/// Further errors are more likely echoes of these than news.
const MOST_ERRORS: usize = 50;

#[derive(Debug, Default)]
pub(super) struct Report {
    diagnostics: RefCell<Vec<Diagnostic>>,
}

impl Report {
    /// Adds a diagnostic, unless its place already has one of its kind: a layer that is instantiated twelve times is wrong once.
    pub fn push(&self, diagnostic: Diagnostic) {
        let mut diagnostics = self.diagnostics.borrow_mut();
        let same = |d: &Diagnostic| d.code == diagnostic.code && d.span() == diagnostic.span();
        let full = diagnostic.is_error() && diagnostics.iter().filter(|d| d.is_error()).count() >= MOST_ERRORS;
        if !full && !diagnostics.iter().any(same) {
            diagnostics.push(diagnostic);
        }
    }

    /// Adds a diagnostic that is one message at one place.
    pub fn error(&self, code: Code, span: Span, message: impl Into<String>, label: impl Into<String>) {
        self.push(Diagnostic::new(code, message).at(span, label));
    }

    pub fn extend(&self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    pub fn has_errors(&self) -> bool {
        self.diagnostics.borrow().iter().any(Diagnostic::is_error)
    }

    /// In the order of the text, file by file; what has no place comes first.
    pub fn finish(self) -> Vec<Diagnostic> {
        let mut diagnostics = self.diagnostics.into_inner();
        diagnostics.sort_by_key(|d| d.span().map(|span| (span.file, span.start)));
        diagnostics
    }
}
