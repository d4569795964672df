//! Why people write what the grammar does not have, and what they mean by it.

use super::Failure;
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::did_you_mean::did_you_mean;
use crate::parse::Rule;
use crate::span::Span;

const ITEMS: [&str; 8] = ["use", "model", "layer", "let", "tokens", "data", "train", "grow"];
const MEMBERS: [&str; 4] = ["let", "tokens", "layer", "forward"];
const ENTRIES: [&str; 3] = ["on", "stage", "expect"];

impl Failure<'_> {
    /// The error with a hint, where there is one.
    pub fn hint(&self, error: Diagnostic) -> Diagnostic {
        let found = self.found_word();
        match found {
            "[" if self.expects(&[Rule::colon]) && !self.expects(&[Rule::operator]) => {
                error.suggest("an annotation follows a colon", self.gap_span(), ": ")
            }
            "(" | "[" if self.expects(&[Rule::operator]) && self.gap == " " => {
                error.suggest("remove the space", self.gap_span(), "")
            }
            "," | ";" if self.statement_ends() => error.help("statements are separated by a new line or two spaces"),
            ":" if self.expects(&[Rule::assign, Rule::equals]) => error.suggest("use `=`", self.span(), " ="),
            "'" => error.help("strings are written in double quotes"),
            "#" => error.help("comments begin with `//`"),
            "/" if self.text[self.position..].starts_with("/*") => error.help("comments begin with `//`"),
            "%" => error.help("`%` directly follows its number"),
            "^" => error.help("write a square as `x * x`"),
            "*" if self.text[..self.position].ends_with('*') => error.help("write a square as `x * x`"),
            "-=" | "/=" if self.expects(&[Rule::assign]) => error.help("fields are changed by `=`, `+=` and `*=`"),
            "&&" | "||" => error.help("there are no logical operators"),
            _ => match number_hint(found) {
                Some(hint) => error.help(hint),
                None => self.keyword_hint(error),
            },
        }
    }

    fn keyword_hint(&self, error: Diagnostic) -> Diagnostic {
        let mut keywords: Vec<&str> = Vec::new();
        for (rule, words) in [(Rule::item, &ITEMS[..]), (Rule::member, &MEMBERS), (Rule::entry, &ENTRIES)] {
            if self.expected.contains(&rule) {
                keywords.extend(words);
            }
        }
        match did_you_mean(self.found_word(), keywords) {
            Some(keyword) => error.suggest("there is a similar keyword", self.span(), keyword),
            None => error,
        }
    }

    /// The word before was meant as a keyword: `let` in a layer, which needs none, or a misspelt one.
    pub fn stray_word_before(&self) -> Option<Diagnostic> {
        let before = self.before.as_ref()?;
        let span = Span::new(self.file, before.range.start, before.range.end);
        let word = self.word_before();
        if self.gap != " " && self.found_word() != "(" {
            return None;
        }
        if word == "let" && self.expects(&[Rule::operator]) {
            let error = Diagnostic::new(Code::UnexpectedText, "`let` in a layer").at(span, "not needed");
            return Some(error.suggest("a binding is just `name = expression`", span.to(self.gap_span()), ""));
        }
        if !self.expects(&[Rule::equals, Rule::assign]) || self.open.is_some() {
            return None;
        }
        let keyword = did_you_mean(word, MEMBERS.into_iter().chain(ENTRIES))?;
        let error = Diagnostic::new(Code::UnexpectedText, format!("unknown keyword `{word}`")).at(span, "");
        Some(error.suggest("there is a similar keyword", span, keyword))
    }
}

fn number_hint(found: &str) -> Option<&'static str> {
    if !found.starts_with(|c: char| c.is_ascii_digit()) {
        None
    } else if found.contains('_') {
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
pub fn look_alike(c: char) -> Option<&'static str> {
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
