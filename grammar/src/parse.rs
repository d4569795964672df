//! From text to syntax tree: several errors a run, no panic and no overflow on any input.

use pest::Parser;
use pest::iterators::Pair;
use pest_derive::Parser;

use crate::ast::{Block, Expr, File, Pattern};
use crate::builder::Builder;
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::span::{FileId, Sources, Span};
use crate::{nesting, recover, syntax_error};

#[derive(Parser)]
#[grammar = "tfm.pest"]
pub(crate) struct Grammar;

/// Further syntax errors are more likely echoes of these than news.
const MOST_ERRORS: usize = 20;

/// The tree of a file of `sources`, and its syntax errors in the order of the text. A statement with an error is left
/// out of the tree.
pub fn parse(sources: &Sources, file: FileId) -> (File, Vec<Diagnostic>) {
    let text = sources.text(file);
    let nothing = Block { statements: vec![], span: Span::new(file, 0, text.len()), opening: None, closing: vec![] };
    if let Some(error) = nesting::unpaired_brace(file, text) {
        let mut errors = syntax_error::unterminated_strings(file, text);
        if errors.is_empty() {
            errors.push(error);
        }
        return (File { id: file, items: nothing }, errors);
    }

    let mut errors = Vec::new();
    let mut remaining = text.to_owned();
    let items = loop {
        match grammar(file, &remaining, Rule::file) {
            Ok(pair) => {
                let mut builder = Builder::new(file, &remaining);
                let items = builder.items(pair);
                errors.append(&mut builder.errors);
                break items;
            }
            Err((position, error)) => {
                errors.push(error);
                if errors.len() == MOST_ERRORS || !recover::blank_statement(&mut remaining, position) {
                    break nothing;
                }
            }
        }
    };
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    (File { id: file, items }, errors)
}

/// Adds a file as it came from disk, and parses it.
pub fn parse_bytes(sources: &mut Sources, name: impl Into<String>, bytes: &[u8]) -> (File, Vec<Diagnostic>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let file = sources.add(name, text);
            parse(sources, file)
        }
        Err(error) => {
            let file = sources.add(name, String::from_utf8_lossy(bytes));
            let start = error.valid_up_to();
            let span = Span::new(file, start, start + char::REPLACEMENT_CHARACTER.len_utf8());
            let error = Diagnostic::new(Code::NotUtf8, "this file is not UTF-8")
                .at(span, format!("byte 0x{:02X} at offset {start}", bytes[start]))
                .help("save it as UTF-8");
            let items = Block { statements: vec![], span: Span::new(file, 0, 0), opening: None, closing: vec![] };
            (File { id: file, items }, vec![error])
        }
    }
}

/// A whole text that is one pattern, as in `--set` and `tfc inspect`.
pub fn parse_pattern(sources: &Sources, file: FileId) -> Result<Pattern, Diagnostic> {
    let text = sources.text(file);
    let pattern = grammar(file, text, Rule::whole_pattern).map_err(|(_, error)| error)?;
    Builder::new(file, text).pattern(pattern)
}

/// A whole text that is one expression, as in `--set`.
pub fn parse_expr(sources: &Sources, file: FileId) -> Result<Expr, Diagnostic> {
    let text = sources.text(file);
    let expr = grammar(file, text, Rule::whole_expr).map_err(|(_, error)| error)?;
    Builder::new(file, text).expr(expr)
}

/// Runs one of the grammar's entries: `file`, `whole_pattern` or `whole_expr`. The pair is what it holds; the number is
/// where it failed.
fn grammar(file: FileId, text: &str, whole: Rule) -> Result<Pair<'_, Rule>, (usize, Diagnostic)> {
    if let Some(failure) = nesting::too_deep(file, text) {
        return Err(failure);
    }
    let mut pairs = Grammar::parse(whole, text).map_err(|error| syntax_error::diagnostic(file, text, error))?;
    Ok(pairs.next().expect("every entry of the grammar has a first part"))
}
