//! What the grammar's failure means to the person who wrote the text: expected this, found that, and often why.

use pest::Parser;
use pest::error::{Error, ErrorVariant, InputLocation};

use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::did_you_mean::did_you_mean;
use crate::lexeme::{Kind, Lexeme, lexeme_at, lexemes};
use crate::parse::{Grammar, Rule};
use crate::span::{FileId, Span};

pub fn diagnostic(file: FileId, text: &str, error: Error<Rule>) -> Diagnostic {
    let position = match error.location {
        InputLocation::Pos(position) | InputLocation::Span((position, _)) => position,
    };
    match error.variant {
        ErrorVariant::ParsingError { positives, .. } => {
            Failure::new(file, text, position, positives).diagnostic()
        }
        // The grammar's own guard of the stack; the limit on nesting is tighter on any usual stack.
        ErrorVariant::CustomError { message } => Diagnostic::new(Code::NestingTooDeep, message)
            .at(Span::new(file, position, position), ""),
    }
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
    /// The white space before it.
    gap: &'a str,
    /// What stands before that.
    before: Option<Lexeme>,
}

impl<'a> Failure<'a> {
    fn new(file: FileId, text: &'a str, position: usize, expected: Vec<Rule>) -> Failure<'a> {
        let found = lexeme_at(text, position)
            .filter(|lexeme| !matches!(lexeme.kind, Kind::Space | Kind::Comment));
        let mut gap_start = position;
        let mut before = None;
        for lexeme in lexemes(text).take_while(|lexeme| lexeme.range.end <= position) {
            if !matches!(lexeme.kind, Kind::Space | Kind::Comment) {
                gap_start = lexeme.range.end;
                before = Some(lexeme);
            }
        }
        Failure {
            file,
            text,
            position,
            expected,
            found,
            gap: &text[gap_start..position],
            before,
        }
    }

    fn diagnostic(&self) -> Diagnostic {
        match self.found.as_ref().map(|found| found.kind) {
            Some(Kind::UnterminatedString) => unterminated_string(self.span()),
            Some(Kind::Unknown) => self.invalid_character(),
            _ if self.could_begin_statement() && !self.separated() => self.missing_separator(),
            Some(Kind::Sign)
                if self.statement_expected() && self.separated() && self.is_operator() =>
            {
                self.leading_operator()
            }
            _ => self.unexpected(),
        }
    }

    fn unexpected(&self) -> Diagnostic {
        let expected = alternatives(&self.expected);
        let error = Diagnostic::new(
            Code::UnexpectedText,
            format!("expected {expected}, found {}", self.found_text()),
        )
        .at(self.span(), format!("expected {expected}"));
        self.hint(self.opening(error))
    }

    /// Marks the parenthesis or bracket that waits for its partner, if it is not in plain sight.
    fn opening(&self, error: Diagnostic) -> Diagnostic {
        if !self
            .expected
            .iter()
            .any(|rule| matches!(rule, Rule::close_paren | Rule::close_bracket))
        {
            return error;
        }
        let mut open = Vec::new();
        for lexeme in lexemes(self.text).take_while(|lexeme| lexeme.range.end <= self.position) {
            match lexeme.kind {
                Kind::Open | Kind::OpenBrace => open.push(lexeme.range),
                Kind::Close | Kind::CloseBrace => drop(open.pop()),
                _ => {}
            }
        }
        match open.pop() {
            Some(range)
                if self.text[range.start..self.position].contains('\n') || self.found.is_none() =>
            {
                error.see(Span::new(self.file, range.start, range.end), "still open")
            }
            _ => error,
        }
    }

    fn hint(&self, error: Diagnostic) -> Diagnostic {
        let span = self.span();
        let found = self.found_word();
        let after_name = self
            .before
            .as_ref()
            .is_some_and(|lexeme| lexeme.kind == Kind::Word);
        match found {
            "(" | "[" if after_name && self.gap == " " => error.suggest(
                "remove the space",
                Span::new(self.file, self.position - 1, self.position),
                "",
            ),
            "," | ";" if self.statement_ends() => {
                error.suggest("separate statements by a new line or two spaces", span, " ")
            }
            "'" => error.help("strings are written in double quotes"),
            "#" => error.help("comments begin with `//`"),
            "/" if self.text[self.position..].starts_with("/*") => {
                error.help("comments begin with `//`")
            }
            "%" => error.help("`%` directly follows its number"),
            "^" | "**" => error.help("write a square as `x * x`"),
            "-=" | "/="
                if self.expected.contains(&Rule::add_assign)
                    || self.expected.contains(&Rule::assign) =>
            {
                error.help("there are `=`, `+=` and `*=`")
            }
            "&&" | "||" => error.help("there are no logical operators"),
            _ if self.word_before() == "let" && self.expected.contains(&Rule::operator) => {
                let start = self.position - self.gap.len() - "let".len();
                error.suggest(
                    "a binding in a layer needs no `let`",
                    Span::new(self.file, start, self.position),
                    "",
                )
            }
            _ if found.starts_with(|c: char| c.is_ascii_digit()) => match number_hint(found) {
                Some(hint) => error.help(hint),
                None => error,
            },
            _ => match did_you_mean(
                found,
                self.expected
                    .iter()
                    .flat_map(|rule| keywords(*rule))
                    .copied(),
            ) {
                Some(keyword) => error.suggest("there is a similar keyword", span, keyword),
                None => error,
            },
        }
    }

    fn missing_separator(&self) -> Diagnostic {
        let place = self.span().before();
        Diagnostic::new(
            Code::MissingSeparator,
            format!(
                "expected two spaces or a new line before {}",
                self.found_text()
            ),
        )
        .at(self.span(), "another statement begins here")
        .suggest(
            "put two spaces between statements on one line",
            place,
            if self.gap.is_empty() { "  " } else { " " },
        )
    }

    fn leading_operator(&self) -> Diagnostic {
        let first = self
            .before
            .as_ref()
            .is_none_or(|before| before.kind == Kind::OpenBrace);
        let message = format!(
            "a statement cannot begin with the operator {}",
            self.found_text()
        );
        let label = if first {
            ""
        } else {
            "the statement before it has ended"
        };
        let mut error = Diagnostic::new(Code::LeadingOperator, message).at(self.span(), label);
        if !first && self.gap.contains('\n') {
            error = error.help("to go on in the next line, end the line with the operator");
        } else if !first {
            let gap = Span::new(self.file, self.position - self.gap.len(), self.position);
            error = error.note("two spaces end a statement").suggest(
                "put one space before the operator",
                gap,
                " ",
            );
        }
        if self.found_word() == "-" {
            error.help("to negate, use parentheses: `(-x)`")
        } else {
            error
        }
    }

    fn invalid_character(&self) -> Diagnostic {
        let span = self.span();
        let c = self.text[self.position..]
            .chars()
            .next()
            .unwrap_or_default();
        let error = Diagnostic::new(
            Code::InvalidCharacter,
            format!(
                "the character {c:?} (U+{:04X}) has no meaning here",
                c as u32
            ),
        )
        .at(span, "");
        match look_alike(c) {
            Some(meant) => error.suggest(format!("it looks like `{meant}`"), span, meant),
            None => error,
        }
    }

    /// Of what was found, or empty where a line or the file ends.
    fn span(&self) -> Span {
        let end = self
            .found
            .as_ref()
            .map_or(self.position, |found| found.range.end);
        Span::new(self.file, self.position, end)
    }

    fn found_word(&self) -> &str {
        self.found
            .as_ref()
            .map_or("", |found| &self.text[found.range.clone()])
    }

    fn word_before(&self) -> &str {
        self.before
            .as_ref()
            .map_or("", |before| &self.text[before.range.clone()])
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

    /// Whether a statement may begin at the position, and one could not before it.
    fn statement_expected(&self) -> bool {
        self.expected
            .iter()
            .any(|rule| !keywords(*rule).is_empty() || matches!(rule, Rule::line | Rule::entry))
    }

    /// Whether the statement before the position is whole.
    fn statement_ends(&self) -> bool {
        self.expected
            .iter()
            .any(|rule| matches!(rule, Rule::close | Rule::EOI))
    }

    fn separated(&self) -> bool {
        let first = self
            .before
            .as_ref()
            .is_none_or(|before| before.kind == Kind::OpenBrace);
        first || !matches!(self.gap, "" | " ")
    }

    fn could_begin_statement(&self) -> bool {
        self.statement_ends()
            && Grammar::parse(Rule::statement_start, &self.text[self.position..]).is_ok()
    }

    fn is_operator(&self) -> bool {
        Grammar::parse(Rule::operator, self.found_word()).is_ok()
    }
}

/// "`=`, a name or an operator"
fn alternatives(rules: &[Rule]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in rules.iter().flat_map(|rule| description(*rule)) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    match names.as_slice() {
        [] => "something else".to_owned(),
        [name] => (*name).to_owned(),
        [names @ .., last] => format!("{} or {last}", names.join(", ")),
    }
}

/// The words a statement of this kind may begin with.
fn keywords(rule: Rule) -> &'static [&'static str] {
    match rule {
        Rule::item => &[
            "use", "model", "layer", "let", "tokens", "data", "train", "grow",
        ],
        Rule::member => &["let", "tokens", "layer", "forward"],
        Rule::entry => &["on", "stage", "expect"],
        Rule::else_ => &["else"],
        _ => &[],
    }
}

fn description(rule: Rule) -> &'static [&'static str] {
    match rule {
        Rule::item => &[
            "`use`", "`model`", "`layer`", "`let`", "`tokens`", "`data`", "`train`", "`grow`",
        ],
        Rule::member => &["`let`", "`tokens`", "`layer`", "`forward`", "a binding"],
        Rule::line | Rule::result => &["a binding", "a result"],
        Rule::entry | Rule::field | Rule::flag_entry => &["a field"],
        Rule::definition | Rule::name | Rule::param => &["a name"],
        Rule::pattern | Rule::part => &["a path"],
        Rule::part_number | Rule::number => &["a number"],
        Rule::text => &["a string"],
        Rule::statement_expr
        | Rule::expr
        | Rule::annotation
        | Rule::operand
        | Rule::arg
        | Rule::element => &["an expression"],
        Rule::operator | Rule::pipe => &["an operator"],
        Rule::assign => &["`=`", "`+=`", "`*=`"],
        Rule::equals => &["`=`"],
        Rule::add_assign => &["`+=`"],
        Rule::multiply_assign => &["`*=`"],
        Rule::dots => &["`..`"],
        Rule::comma => &["`,`"],
        Rule::colon => &["`:`"],
        Rule::open | Rule::members | Rule::entries | Rule::body => &["`{`"],
        Rule::close => &["`}`"],
        Rule::open_paren | Rule::params => &["`(`"],
        Rule::close_paren => &["`)`"],
        Rule::close_bracket => &["`]`"],
        Rule::else_ => &["`else`"],
        Rule::EOI => &["the end of the file"],
        // What may follow an expression nearly everywhere and would only lengthen the list.
        _ => &[],
    }
}

fn number_hint(found: &str) -> Option<&'static str> {
    if found.contains('_') {
        Some("digits are not grouped: `50304`, or `50K`")
    } else if found.ends_with(['k', 'm', 'b', 'g', 'G', 'T']) {
        Some("the units are `K`, `M` and `B` (thousands, millions and billions) and `%`")
    } else if found.contains('E') {
        Some("powers of ten are written with a small `e`: `6e-4`")
    } else {
        None
    }
}

/// The ASCII text that a typeset character stands for.
fn look_alike(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{3000}' => " ",
        '\u{2018}' | '\u{2019}' | '\u{201C}'..='\u{201F}' | '\u{AB}' | '\u{BB}' => "\"",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "-",
        '\u{D7}' | '\u{22C5}' | '\u{B7}' => "*",
        '\u{F7}' => "/",
        '\u{2264}' => "<=",
        '\u{2265}' => ">=",
        '\u{2260}' => "!=",
        '\u{2026}' => "..",
        '\u{FF08}' => "(",
        '\u{FF09}' => ")",
        '\u{FF0C}' => ",",
        '\u{FF1A}' => ":",
        _ => return None,
    })
}
