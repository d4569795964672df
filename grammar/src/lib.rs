//! The `.tfm` language as text: grammar, syntax tree with spans, diagnostics and their rendering, the formatter.

pub mod ast;
pub mod codes;
pub mod diagnostic;
pub mod did_you_mean;
pub mod span;

pub use codes::{Code, Severity};
pub use diagnostic::{Diagnostic, Edit, Label, Suggestion};
pub use did_you_mean::did_you_mean;
pub use span::{FileId, Sources, Span};
