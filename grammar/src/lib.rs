//! The `.tfm` language as text: grammar, syntax tree with spans, diagnostics and their rendering, the formatter.

pub mod ast;
mod builder;
pub mod codes;
pub mod diagnostic;
mod diagnostics_page;
pub mod did_you_mean;
mod format;
mod lexeme;
mod nesting;
mod parse;
mod recover;
mod render;
pub mod span;
mod syntax_error;

pub use codes::{Code, Severity};
pub use diagnostic::{Diagnostic, Edit, Label, Suggestion};
pub use diagnostics_page::diagnostics_page;
pub use did_you_mean::did_you_mean;
pub use format::format;
pub use parse::{parse, parse_bytes, parse_expr, parse_pattern};
pub use render::{Color, render, render_all};
pub use span::{FileId, Sources, Span};
