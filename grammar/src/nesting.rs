//! What is checked before the grammar runs: that braces pair up, and that nothing nests too deep for recursive descent.

use std::ops::Range;

use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::lexeme::{Kind, lexemes};
use crate::span::{FileId, Span};

/// How deep braces, brackets and parentheses may nest.
pub const DEEPEST: usize = 64;

/// The first delimiter that nests too deep, and where.
pub fn too_deep(file: FileId, text: &str) -> Option<(usize, Diagnostic)> {
    let mut depth = 0usize;
    for lexeme in lexemes(text) {
        match lexeme.kind {
            Kind::OpenBrace | Kind::Open => depth += 1,
            Kind::CloseBrace | Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            let message = format!("braces, brackets and parentheses nest at most {DEEPEST} deep");
            let span = Span::new(file, lexeme.range.start, lexeme.range.end);
            let error = Diagnostic::new(Code::NestingTooDeep, message)
                .at(span, format!("this is number {depth}"))
                .help("bind the inner part to a name");
            return Some((span.start, error));
        }
    }
    None
}

/// The brace without a partner. Without its partner no block can be told from its neighbours, so nothing else is worth
/// reporting; indentation says which brace it most likely is.
pub fn unpaired_brace(file: FileId, text: &str) -> Option<Diagnostic> {
    let mut open: Vec<(Span, usize)> = Vec::new(); // with the indentation of the line it stands on
    let mut suspect: Option<(Span, Span)> = None;
    let mut line_start = 0;
    let mut indent = 0;
    for lexeme in lexemes(text) {
        let Range { start, end } = lexeme.range;
        let span = Span::new(file, start, end);
        match lexeme.kind {
            Kind::Space => {
                if let Some(newline) = text[start..end].rfind('\n') {
                    line_start = start + newline + 1;
                    indent = end - line_start;
                }
            }
            Kind::OpenBrace => open.push((span, indent)),
            Kind::CloseBrace => {
                let Some((opening, expected)) = open.pop() else { return Some(unopened(span, suspect)) };
                let first_on_line = start == line_start + indent;
                if first_on_line && indent != expected {
                    suspect.get_or_insert((opening, span));
                }
            }
            _ => {}
        }
    }
    open.pop().map(|(opening, _)| unclosed(opening, suspect))
}

fn unclosed(opening: Span, suspect: Option<(Span, Span)>) -> Diagnostic {
    let error = Diagnostic::new(Code::UnclosedDelimiter, "this file has a `{` that is never closed");
    match suspect {
        Some((opening, closing)) => {
            error.at(opening, "probably this one").see(closing, "it is closed here, but the indentation differs")
        }
        None => error.at(opening, "never closed"),
    }
}

fn unopened(closing: Span, suspect: Option<(Span, Span)>) -> Diagnostic {
    let error = Diagnostic::new(Code::UnclosedDelimiter, "this `}` closes nothing").at(closing, "no `{` is open here");
    match suspect {
        Some((opening, closing)) => {
            error.see(opening, "this block…").see(closing, "…ends here, but the indentation differs")
        }
        None => error,
    }
}
