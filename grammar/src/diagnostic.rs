//! Diagnostics as data: what went wrong, where, why, and a way out. Rendering comes last, in `render`.

use crate::codes::{Code, Severity};
use crate::span::Span;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    /// One line, without a full stop: what is wrong, naming the thing at hand.
    pub message: String,
    /// The text marked; the first primary label is the place of the error.
    pub labels: Vec<Label>,
    /// Why it is wrong, where the message does not say.
    pub notes: Vec<String>,
    /// Ways out.
    pub suggestions: Vec<Suggestion>,
}

/// A mark under the text of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    /// May be empty: the mark alone.
    pub text: String,
    /// At fault, not merely of interest.
    pub primary: bool,
}

/// A way out, and the edits that take it where they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    pub message: String,
    pub edits: Vec<Edit>,
}

/// Put `text` in place of what the span covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub span: Span,
    pub text: String,
}

impl Diagnostic {
    pub fn new(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic { code, message: message.into(), labels: Vec::new(), notes: Vec::new(), suggestions: Vec::new() }
    }

    /// Marks the text at fault.
    pub fn at(self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.label(span, text.into(), true)
    }

    /// Marks text that helps to understand: where the other definition is, where a size comes from.
    pub fn see(self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.label(span, text.into(), false)
    }

    pub fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.push(note.into());
        self
    }

    /// A way out in words.
    pub fn help(mut self, message: impl Into<String>) -> Diagnostic {
        self.suggestions.push(Suggestion { message: message.into(), edits: Vec::new() });
        self
    }

    /// A way out as an edit: `text` in place of what the span covers.
    pub fn suggest(mut self, message: impl Into<String>, span: Span, text: impl Into<String>) -> Diagnostic {
        let edits = vec![Edit { span, text: text.into() }];
        self.suggestions.push(Suggestion { message: message.into(), edits });
        self
    }

    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    pub fn is_error(&self) -> bool {
        self.severity() == Severity::Error
    }

    /// The place of the error: the first primary label, or else the first.
    pub fn span(&self) -> Option<Span> {
        let label = self.labels.iter().find(|label| label.primary).or(self.labels.first())?;
        Some(label.span)
    }

    fn label(mut self, span: Span, text: String, primary: bool) -> Diagnostic {
        self.labels.push(Label { span, text, primary });
        self
    }
}
