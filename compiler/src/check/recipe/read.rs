//! Reads values as what a field takes; what does not fit is reported where it stands.

use super::Recipe;
use crate::check::value::{LARGEST, Value, ValueKind, lost};
use tfc_grammar::{Code, Diagnostic, did_you_mean};

impl Recipe<'_> {
    /// A number, not a percentage.
    pub fn number(&self, value: &Value) -> Option<f64> {
        let ValueKind::Number { value: number, percent } = value.kind else { return self.expected(value, "a number") };
        if percent {
            let message = "a percentage where none makes sense";
            return self.refuse(Code::UnitNotAllowed, value, message, "write the number itself");
        }
        Some(number)
    }

    /// A number greater than zero, which is counted to.
    pub fn above_zero(&self, value: &Value) -> Option<f64> {
        let number = self.number(value)?;
        if number > 0.0 { Some(number) } else { self.out_of_range(value, "greater than zero") }
    }

    /// A number greater than zero, which is computed with.
    pub fn positive(&self, value: &Value) -> Option<f64> {
        self.held(value, self.above_zero(value)?)
    }

    /// A number of at least zero, which is computed with.
    pub fn not_negative(&self, value: &Value) -> Option<f64> {
        let number = self.number(value)?;
        if number >= 0.0 { self.held(value, number) } else { self.out_of_range(value, "at least zero") }
    }

    /// The number, if 32-bit floating point holds it.
    fn held(&self, value: &Value, number: f64) -> Option<f64> {
        match lost(number) {
            None => Some(number),
            Some(why) => self.refuse(Code::ValueOutOfRange, value, "the value is out of range", why),
        }
    }

    /// A percentage, or the number it stands for: 0 to 1.
    pub fn fraction(&self, value: &Value) -> Option<f64> {
        let ValueKind::Number { value: number, .. } = value.kind else { return self.expected(value, "a percentage") };
        if (0.0..=1.0).contains(&number) { Some(number) } else { self.out_of_range(value, "between 0 % and 100 %") }
    }

    /// A whole number of at least one.
    pub fn count(&self, value: &Value) -> Option<u64> {
        self.whole_from(1, value)
    }

    /// A whole number of at least zero.
    pub fn whole(&self, value: &Value) -> Option<u64> {
        self.whole_from(0, value)
    }

    fn whole_from(&self, least: u64, value: &Value) -> Option<u64> {
        let number = self.number(value)?;
        if number.fract() != 0.0 {
            let label = format!("this is {number}");
            return self.refuse(Code::NotAnInteger, value, "a whole number is needed here", &label);
        }
        if number < least as f64 {
            return self.out_of_range(value, &format!("at least {least}"));
        }
        if number <= LARGEST { Some(number as u64) } else { self.out_of_range(value, "at most 2^53") }
    }

    pub fn flag(&self, value: &Value) -> Option<bool> {
        let ValueKind::Flag(flag) = value.kind else { return self.expected(value, "`true` or `false`") };
        Some(flag)
    }

    pub fn text(&self, value: &Value) -> Option<String> {
        if let ValueKind::Word(word) = &value.kind {
            let diagnostic = Diagnostic::new(Code::WrongType, format!("`{word}` is no text"));
            let diagnostic = diagnostic.at(value.span, "a path is written in quotes");
            self.report.push(diagnostic.suggest("quote it", value.span, format!("\"{word}\"")));
            return None;
        }
        let ValueKind::Text(text) = &value.kind else { return self.expected(value, "a text") };
        Some(text.clone())
    }

    /// One of a few words.
    pub fn choice<T: Clone>(&self, value: &Value, options: &[(&'static str, T)]) -> Option<T> {
        let ValueKind::Word(word) = &value.kind else { return self.expected(value, &listed(options)) };
        match options.iter().find(|(name, _)| name == word) {
            Some((_, choice)) => Some(choice.clone()),
            None => self.unknown_option(value, word, &options.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
        }
    }

    /// None of the words that could stand here.
    pub fn unknown_option<T>(&self, value: &Value, word: &str, options: &[&str]) -> Option<T> {
        let span = if let ValueKind::Call { name, .. } = &value.kind { name.span } else { value.span };
        let diagnostic = Diagnostic::new(Code::UnknownOption, format!("`{word}` is not known here"));
        let diagnostic = diagnostic.at(span, format!("expected {}", alternatives(options)));
        self.report.push(match did_you_mean(word, options.iter().copied()) {
            Some(near) => diagnostic.suggest("there is a similar one", span, near),
            None => diagnostic,
        });
        None
    }

    /// Reports a value of the wrong kind, unless it was reported already.
    pub fn expected<T>(&self, value: &Value, what: &str) -> Option<T> {
        if value.kind == ValueKind::Error {
            return None;
        }
        let message = format!("expected {what}");
        self.refuse(Code::WrongType, value, &message, &format!("this is {}", value.describe()))
    }

    pub fn out_of_range<T>(&self, value: &Value, range: &str) -> Option<T> {
        self.refuse(Code::ValueOutOfRange, value, "the value is out of range", &format!("must be {range}"))
    }

    pub fn refuse<T>(&self, code: Code, value: &Value, message: &str, label: &str) -> Option<T> {
        self.report.error(code, value.span, message, label);
        None
    }
}

fn listed<T>(options: &[(&'static str, T)]) -> String {
    alternatives(&options.iter().map(|(name, _)| *name).collect::<Vec<_>>())
}

/// "`a`, `b` or `c`"
pub(super) fn alternatives(options: &[&str]) -> String {
    let quoted: Vec<String> = options.iter().map(|option| format!("`{option}`")).collect();
    match quoted.as_slice() {
        [] => "nothing".into(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
