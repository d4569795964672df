//! What is checked before the grammar runs: that braces pair up, and that nothing nests too deep for recursive descent.

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

/// An opening brace, and how far the line it stands on is indented.
struct Opening {
    span: Span,
    indent: usize,
}

/// The brace without a partner. Without its partner no block can be told from its neighbours, so nothing else is worth
/// reporting; indentation says which brace it most likely is.
pub fn unpaired_brace(file: FileId, text: &str) -> Option<Diagnostic> {
    let mut open: Vec<Opening> = Vec::new();
    let mut suspect: Option<(Span, Span)> = None;
    for lexeme in lexemes(text) {
        let span = Span::new(file, lexeme.range.start, lexeme.range.end);
        match lexeme.kind {
            Kind::OpenBrace => open.push(Opening { span, indent: indent(text, span.start).width }),
            Kind::CloseBrace => {
                let Some(opening) = open.pop() else {
                    return Some(unopened(span, suspect));
                };
                let closing = indent(text, span.start);
                if closing.alone && closing.width != opening.indent {
                    suspect.get_or_insert((opening.span, span));
                }
            }
            _ => {}
        }
    }
    open.pop().map(|opening| unclosed(opening.span, suspect))
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

struct Indent {
    width: usize,
    /// Nothing else stands before it on its line.
    alone: bool,
}

fn indent(text: &str, position: usize) -> Indent {
    let line = &text[text[..position].rfind('\n').map_or(0, |newline| newline + 1)..position];
    let width = line.len() - line.trim_start().len();
    Indent { width, alone: width == line.len() }
}
