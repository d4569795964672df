//! The lexical level, for what must be known before or without a parse: comments, nesting, where statements end.
//!
//! The grammar reads characters, not these; both agree on strings, comments and white space, and a test holds them to it.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Space,
    Comment,
    String,
    /// A string that its line ends.
    UnterminatedString,
    /// `{`
    OpenBrace,
    /// `}`
    CloseBrace,
    /// `(` or `[`
    Open,
    /// `)` or `]`
    Close,
    /// Letters and digits, with the points, signs and unit of a number.
    Word,
    /// An operator or other punctuation.
    Sign,
    /// A character that has no meaning outside strings and comments.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lexeme {
    pub kind: Kind,
    pub range: Range<usize>,
}

/// Signs of more than one character, ours and those that people know from elsewhere.
const LONG_SIGNS: [&str; 15] =
    ["|>", "..", "<=", ">=", "==", "!=", "+=", "*=", "-=", "/=", "->", "=>", "**", "&&", "||"];

/// All lexemes of a text, without gaps.
pub fn lexemes(text: &str) -> impl Iterator<Item = Lexeme> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let lexeme = lexeme_at(text, at)?;
        at = lexeme.range.end;
        Some(lexeme)
    })
}

/// The lexeme that begins at `start`, if the text does not end there.
pub fn lexeme_at(text: &str, start: usize) -> Option<Lexeme> {
    let rest = text.get(start..)?;
    let first = rest.chars().next()?;
    let (kind, length) = match first {
        ' ' | '\t' | '\r' | '\n' => (Kind::Space, length_while(rest, |c| matches!(c, ' ' | '\t' | '\r' | '\n'))),
        '\u{FEFF}' if start == 0 => (Kind::Space, first.len_utf8()),
        '/' if rest.starts_with("//") => (Kind::Comment, length_while(rest, |c| c != '\n')),
        '"' => string(rest),
        '{' => (Kind::OpenBrace, 1),
        '}' => (Kind::CloseBrace, 1),
        '(' | '[' => (Kind::Open, 1),
        ')' | ']' => (Kind::Close, 1),
        '0'..='9' => (Kind::Word, number(rest)),
        'a'..='z' | 'A'..='Z' | '_' => (Kind::Word, length_while(rest, is_letter)),
        ' '..='~' => {
            let long = LONG_SIGNS.iter().find(|sign| rest.starts_with(**sign));
            (Kind::Sign, long.map_or(1, |sign| sign.len()))
        }
        _ => (Kind::Unknown, first.len_utf8()),
    };
    Some(Lexeme { kind, range: start..start + length })
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn length_while(text: &str, holds: impl Fn(char) -> bool) -> usize {
    text.find(|c| !holds(c)).unwrap_or(text.len())
}

fn string(text: &str) -> (Kind, usize) {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return (Kind::UnterminatedString, at),
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return (Kind::String, at + 1),
            _ => {}
        }
    }
    (Kind::UnterminatedString, text.len())
}

/// The length of a number and of what people write next to one: `6e-4`, `0.5%`, `600k`, `0` in `0..5`.
fn number(text: &str) -> usize {
    let mut length = length_while(text, is_letter);
    if text[length..].starts_with('.') && text[length + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        length += 1 + length_while(&text[length + 1..], is_letter);
    }
    if text[..length].ends_with(['e', 'E']) && text[length..].starts_with(['+', '-']) {
        length += 1 + length_while(&text[length + 1..], is_letter);
    }
    if text[length..].starts_with('%') { length + 1 } else { length }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        lexemes(text).filter(|lexeme| lexeme.kind != Kind::Space).map(|lexeme| &text[lexeme.range]).collect()
    }

    #[test]
    fn numbers_keep_their_points_exponents_and_units() {
        assert_eq!(
            split("6e-4 1.5e+3 0..5 x.3 0.5%-2 600k"),
            ["6e-4", "1.5e+3", "0", "..", "5", "x", ".", "3", "0.5%", "-", "2", "600k"]
        );
    }

    #[test]
    fn strings_hide_comments_and_comments_hide_strings() {
        assert_eq!(split(r#""a // b" // c "d"#), [r#""a // b""#, r#"// c "d"#]);
        assert_eq!(split(r#""say \"x\" \\" y"#), [r#""say \"x\" \\""#, "y"]);
        let kinds: Vec<Kind> = lexemes("\"open \\\n}").map(|lexeme| lexeme.kind).collect();
        assert_eq!(kinds, [Kind::UnterminatedString, Kind::Space, Kind::CloseBrace]);
    }
}
