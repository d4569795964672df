//! What the grammar's failure means to the person who wrote the text: expected this, found that, and often why.

mod expected;
mod hints;

use pest::Parser;
use pest::error::{Error, ErrorVariant, InputLocation};

use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::lexeme::{Kind, Lexeme, lexeme_at, lexemes};
use crate::parse::{Grammar, Rule};
use crate::span::{FileId, Span};

/// Where the grammar failed, and what to say of it.
pub fn diagnostic(file: FileId, text: &str, error: Error<Rule>) -> (usize, Diagnostic) {
    let position = match error.location {
        InputLocation::Pos(position) | InputLocation::Span((position, _)) => position,
    };
    let diagnostic = match error.variant {
        ErrorVariant::ParsingError { positives, .. } => Failure::new(file, text, position, positives).diagnostic(),
        // The grammar's own guard of the stack; the limit on nesting is tighter on any usual stack.
        ErrorVariant::CustomError { message } => {
            Diagnostic::new(Code::NestingTooDeep, message).at(Span::new(file, position, position), "")
        }
    };
    (position, diagnostic)
}

/// The strings that their line ends: they hide the delimiters behind them.
pub fn unterminated_strings(file: FileId, text: &str) -> Vec<Diagnostic> {
    lexemes(text)
        .filter(|lexeme| lexeme.kind == Kind::UnterminatedString)
        .map(|lexeme| unterminated_string(Span::new(file, lexeme.range.start, lexeme.range.end)))
        .collect()
}

fn unterminated_string(span: Span) -> Diagnostic {
    Diagnostic::new(Code::UnterminatedString, "this string is never closed")
        .at(span, "its line ends without a `\"`")
        .note("a string does not go on in the next line")
}

/// Where the grammar got stuck.
struct Failure<'a> {
    file: FileId,
    text: &'a str,
    position: usize,
    /// What could have stood there.
    expected: Vec<Rule>,
    /// What stands there; nothing at the end of a line or of the file.
    found: Option<Lexeme>,
    /// The white space and comments before it.
    gap: &'a str,
    /// What stands before those.
    before: Option<Lexeme>,
    /// The parenthesis or bracket around it.
    open: Option<Span>,
}

impl<'a> Failure<'a> {
    fn new(file: FileId, text: &'a str, position: usize, expected: Vec<Rule>) -> Failure<'a> {
        let found = lexeme_at(text, position).filter(|lexeme| !matches!(lexeme.kind, Kind::Space | Kind::Comment));
        let mut before = None;
        let mut open = Vec::new();
        for lexeme in lexemes(text).take_while(|lexeme| lexeme.range.end <= position) {
            match lexeme.kind {
                Kind::Space | Kind::Comment => continue,
                Kind::Open | Kind::OpenBrace => open.push(lexeme.clone()),
                Kind::Close | Kind::CloseBrace => drop(open.pop()),
                _ => {}
            }
            before = Some(lexeme);
        }
        let gap = &text[before.as_ref().map_or(0, |before| before.range.end)..position];
        let open = open.pop().filter(|open| open.kind == Kind::Open);
        let open = open.map(|open| Span::new(file, open.range.start, open.range.end));
        Failure { file, text, position, expected, found, gap, before, open }
    }

    fn diagnostic(&self) -> Diagnostic {
        match self.found.as_ref().map(|found| found.kind) {
            Some(Kind::UnterminatedString) => return unterminated_string(self.span()),
            Some(Kind::Unknown) => return self.invalid_character(),
            _ => {}
        }
        if let Some(open) = self.open.filter(|open| self.never_closed(*open)) {
            self.unclosed(open)
        } else if let Some(error) = self.stray_word_before() {
            error
        } else if self.could_begin_statement() && !self.separated() {
            self.missing_separator()
        } else if self.is_operator() && self.statement_expected() && self.separated() {
            self.leading_operator()
        } else {
            self.unexpected()
        }
    }

    fn unexpected(&self) -> Diagnostic {
        let names = expected::names(&self.expected, self.separated());
        let expected = expected::alternatives(&names);
        let label = if names.len() > 4 { "not expected here".to_owned() } else { format!("expected {expected}") };
        let message = format!("expected {expected}, found {}", self.found_text());
        let mut error = Diagnostic::new(Code::UnexpectedText, message).at(self.span(), label);
        if let Some(open) = self.open.filter(|open| self.text[open.start..self.position].contains('\n')) {
            error = error.see(open, "inside this");
        }
        self.hint(error)
    }

    fn unclosed(&self, open: Span) -> Diagnostic {
        let (open_sign, close_sign) = if self.text[open.start..].starts_with('(') { ("(", ")") } else { ("[", "]") };
        Diagnostic::new(Code::UnclosedDelimiter, format!("this `{open_sign}` is never closed"))
            .at(open, "still open")
            .see(self.span(), format!("expected `{close_sign}` before {}", self.found_text()))
    }

    fn missing_separator(&self) -> Diagnostic {
        let message = format!("expected two spaces or a new line before {}", self.found_text());
        let spaces = if self.gap.is_empty() { "  " } else { " " };
        Diagnostic::new(Code::MissingSeparator, message).at(self.span(), "another statement begins here").suggest(
            "put two spaces between statements on one line",
            self.span().before(),
            spaces,
        )
    }

    fn leading_operator(&self) -> Diagnostic {
        let first = self.before.as_ref().is_none_or(|before| before.kind == Kind::OpenBrace);
        let message = format!("a statement cannot begin with the operator {}", self.found_text());
        let label = if first { "" } else { "the statement before it has ended" };
        let mut error = Diagnostic::new(Code::LeadingOperator, message).at(self.span(), label);
        if !first && self.gap.contains('\n') {
            error = error.help("to go on in the next line, end the line with the operator");
        } else if !first {
            error = error.note("two spaces end a statement").suggest(
                "put one space before the operator",
                self.gap_span(),
                " ",
            );
        }
        if self.found_word() == "-" { error.help("to negate, use parentheses: `(-x)`") } else { error }
    }

    fn invalid_character(&self) -> Diagnostic {
        let c = self.text[self.position..].chars().next().unwrap_or_default();
        let message = format!("the character {c:?} (U+{:04X}) has no meaning here", c as u32);
        let error = Diagnostic::new(Code::InvalidCharacter, message).at(self.span(), "");
        match hints::look_alike(c) {
            Some(meant) => error.suggest(format!("it looks like `{meant}`"), self.span(), meant),
            None => error,
        }
    }

    /// Of what was found, or empty where a line or the file ends.
    fn span(&self) -> Span {
        let end = self.found.as_ref().map_or(self.position, |found| found.range.end);
        Span::new(self.file, self.position, end)
    }

    fn gap_span(&self) -> Span {
        Span::new(self.file, self.position - self.gap.len(), self.position)
    }

    fn found_word(&self) -> &'a str {
        self.found.as_ref().map_or("", |found| &self.text[found.range.clone()])
    }

    fn word_before(&self) -> &'a str {
        self.before.as_ref().map_or("", |before| &self.text[before.range.clone()])
    }

    fn found_text(&self) -> String {
        const LONGEST: usize = 40;
        match self.found_word() {
            "" if self.text[self.position..].trim().is_empty() => "the end of the file".to_owned(),
            "" => "the end of the line".to_owned(),
            word if word.chars().count() > LONGEST => {
                format!("`{}…`", word.chars().take(LONGEST).collect::<String>())
            }
            word => format!("`{word}`"),
        }
    }

    fn expects(&self, rules: &[Rule]) -> bool {
        rules.iter().any(|rule| self.expected.contains(rule))
    }

    /// Whether a statement could begin at the position.
    fn statement_expected(&self) -> bool {
        self.expects(&[Rule::item, Rule::member, Rule::line, Rule::entry])
    }

    /// Whether the statement before the position is whole.
    fn statement_ends(&self) -> bool {
        self.expects(&[Rule::close, Rule::EOI])
    }

    fn separated(&self) -> bool {
        let first = self.before.as_ref().is_none_or(|before| before.kind == Kind::OpenBrace);
        first || !matches!(self.gap, "" | " ")
    }

    fn could_begin_statement(&self) -> bool {
        self.statement_ends() && Grammar::parse(Rule::statement_start, &self.text[self.position..]).is_ok()
    }

    fn is_operator(&self) -> bool {
        Grammar::parse(Rule::operator, self.found_word()).is_ok()
    }

    /// Whether the block around a parenthesis ends before the parenthesis does.
    fn never_closed(&self, open: Span) -> bool {
        let (mut depth, mut braces) = (0, 0);
        for lexeme in lexemes(&self.text[open.start..]) {
            match lexeme.kind {
                Kind::OpenBrace => braces += 1,
                Kind::CloseBrace if braces == 0 => return true,
                Kind::CloseBrace => braces -= 1,
                Kind::Open => depth += 1,
                Kind::Close => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return false;
            }
        }
        true
    }
}
