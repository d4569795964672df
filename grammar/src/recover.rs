//! Recovery from syntax errors: blank out the statement that holds the error, keep every other byte in its place, parse
//! again. The grammar needs no error productions, and spans stay true.

use std::ops::Range;

use crate::lexeme::{Kind, Lexeme, lexemes};

/// Blanks the statement around `position`; false if there is nothing left to blank.
pub fn blank_statement(text: &mut String, position: usize) -> bool {
    let range = statement_around(text, position);
    let blank: String = text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    let changed = blank != text[range.clone()];
    text.replace_range(range, &blank);
    changed
}

/// The statement of the innermost block around `position` that holds it. If a parenthesis of it is never closed, it
/// ends with the line, or before the line if that is where the text stopped making sense.
fn statement_around(text: &str, position: usize) -> Range<usize> {
    let lexemes = with_gaps(text);
    let here = lexemes.partition_point(|lexeme| lexeme.range.end <= position);
    let Place { start, mut parentheses } = place(text, &lexemes, here);

    let line_start = text[..position].rfind('\n').map_or(0, |newline| newline + 1);
    let first_on_line = start < line_start && text[line_start..position].trim().is_empty();
    let mut braces = 0;
    let mut line_end = None;
    let mut end = text.len();
    for at in here..lexemes.len() {
        let lexeme = &lexemes[at];
        match lexeme.kind {
            Kind::OpenBrace => braces += 1,
            Kind::CloseBrace if braces > 0 => braces -= 1,
            Kind::CloseBrace => {
                end = lexeme.range.start;
                break;
            }
            Kind::Open if braces == 0 => parentheses += 1,
            Kind::Close if braces == 0 && parentheses > 0 => parentheses -= 1,
            Kind::Space if braces == 0 && separates(text, &lexemes, at) => {
                if parentheses == 0 {
                    return start..lexeme.range.start.max(position);
                }
                if text[lexeme.range.clone()].contains('\n') {
                    line_end.get_or_insert(lexeme.range.start);
                }
            }
            _ => {}
        }
    }
    if parentheses > 0 && first_on_line {
        return start..line_start;
    }
    if parentheses > 0 {
        end = line_end.unwrap_or(end);
    }
    if text[start..end].trim().is_empty() {
        end = lexemes.get(here).map_or(text.len(), |lexeme| lexeme.range.end);
    }
    start..end
}

/// Where a lexeme stands: the start of its statement and the parentheses open since then.
#[derive(Clone, Copy, Default)]
struct Place {
    start: usize,
    parentheses: usize,
}

fn place(text: &str, lexemes: &[Lexeme], here: usize) -> Place {
    let mut outer = Vec::new();
    let mut place = Place::default();
    for at in 0..here {
        let lexeme = &lexemes[at];
        match lexeme.kind {
            Kind::OpenBrace => {
                outer.push(place);
                place = Place { start: lexeme.range.end, parentheses: 0 };
            }
            Kind::CloseBrace => {
                place = outer.pop().unwrap_or(Place { start: lexeme.range.end, parentheses: 0 });
            }
            Kind::Open => place.parentheses += 1,
            Kind::Close => place.parentheses = place.parentheses.saturating_sub(1),
            Kind::Space if place.parentheses == 0 && separates(text, lexemes, at) => {
                place.start = lexeme.range.end;
            }
            Kind::Space | Kind::Comment | Kind::String | Kind::UnterminatedString => {}
            Kind::Word | Kind::Sign | Kind::Unknown => {}
        }
    }
    place
}

/// Whether white space ends a statement: see the head of the grammar.
fn separates(text: &str, lexemes: &[Lexeme], at: usize) -> bool {
    const OPERATORS: [&str; 11] = ["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "|>"];
    let after_operator = at > 0 && OPERATORS.contains(&&text[lexemes[at - 1].range.clone()]);
    let before_pipe = lexemes.get(at + 1).is_some_and(|next| &text[next.range.clone()] == "|>");
    let gap = &text[lexemes[at].range.clone()];
    gap != " " && !after_operator && !before_pipe
}

/// The lexemes, each run of white space and comments as one.
fn with_gaps(text: &str) -> Vec<Lexeme> {
    let mut merged: Vec<Lexeme> = Vec::new();
    for mut lexeme in lexemes(text) {
        if lexeme.kind == Kind::Comment {
            lexeme.kind = Kind::Space;
        }
        match merged.last_mut() {
            Some(last) if last.kind == Kind::Space && lexeme.kind == Kind::Space => last.range.end = lexeme.range.end,
            _ => merged.push(lexeme),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with what is blanked for an error at `|` in brackets.
    fn blanked(marked: &str) -> String {
        let position = marked.find('|').expect("a mark");
        let text = marked.replacen('|', "", 1);
        let range = statement_around(&text, position);
        format!("{}<{}>{}", &text[..range.start], &text[range.clone()], &text[range.end..])
    }

    #[test]
    fn a_statement_ends_at_two_spaces_or_a_line_end() {
        assert_eq!(blanked("a {\n  b| c\n  d = 1\n}"), "a {\n  <b c>\n  d = 1\n}");
        assert_eq!(blanked("a { b = 1  c |: 2,  d = 3 }"), "a { b = 1  <c : 2,>  d = 3 }");
        assert_eq!(blanked("a {\n  b =|\n  c\n}"), "a {\n  <b =>\n  c\n}");
        assert_eq!(
            blanked("a {\n  b = |c +\n    d\n    |> e // f\n  g\n}"),
            "a {\n  <b = c +\n    d\n    |> e> // f\n  g\n}"
        );
    }

    #[test]
    fn a_statement_takes_the_block_behind_it() {
        assert_eq!(blanked("a {\n  b c| d {\n    e\n  }\n  f\n}"), "a {\n  <b c d {\n    e\n  }>\n  f\n}");
        assert_eq!(blanked("a {\n  b(c| {\n    e\n  }\n  f\n}"), "a {\n  <b(c {\n    e\n  }>\n  f\n}");
        assert_eq!(blanked("a {\n  b {\n    c |d }\n  f\n}"), "a {\n  b {\n    <c d >}\n  f\n}");
    }

    #[test]
    fn a_parenthesis_without_end_ends_with_its_line() {
        assert_eq!(blanked("a {\n  b = (c\n  |d = e\n}"), "a {\n  <b = (c\n>  d = e\n}");
        assert_eq!(blanked("a {\n  b = (c |d\n  e\n}"), "a {\n  <b = (c d>\n  e\n}");
        assert_eq!(blanked("a {\n  b = (\n    c\n    |d\n  )\n}"), "a {\n  <b = (\n    c\n    d\n  )>\n}");
    }

    #[test]
    fn where_no_statement_is_the_next_sign_goes() {
        assert_eq!(blanked("a {\n}\n|)\nb {\n}"), "a {\n}\n<)>\nb {\n}");
        assert_eq!(blanked("a {|"), "a {<>");
    }
}
