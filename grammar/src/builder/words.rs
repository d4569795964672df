//! Numbers and strings: from their spelling to what they mean.

use crate::ast::Number;
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// The value is rounded once, from the decimal digits with the unit applied: `0.3K` is 300 exactly.
pub fn number(spelling: &str, span: Span) -> Result<Number, Diagnostic> {
    let (digits, unit) = match spelling.char_indices().next_back() {
        Some((at, 'K')) => (&spelling[..at], 3),
        Some((at, 'M')) => (&spelling[..at], 6),
        Some((at, 'B')) => (&spelling[..at], 9),
        Some((at, '%')) => (&spelling[..at], -2),
        _ => (spelling, 0),
    };
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((digits, "0"));
    let value = exponent
        .parse::<i32>()
        .ok()
        .and_then(|exponent| format!("{mantissa}e{}", exponent.checked_add(unit)?).parse::<f64>().ok())
        .filter(|value| value.is_finite());
    let zero = mantissa.chars().all(|c| matches!(c, '0' | '.'));
    match value {
        Some(value) if value != 0.0 || zero => Ok(Number { spelling: spelling.to_owned(), value, percent: unit == -2 }),
        _ => Err(Diagnostic::new(Code::NumberOutOfRange, "number out of range")
            .at(span, "neither zero nor between 1e-308 and 1e308")),
    }
}

/// The characters of a string, given with its quotes.
pub fn unescape(quoted: &str, span: Span) -> Result<String, Diagnostic> {
    let mut value = String::with_capacity(quoted.len());
    let mut inner = quoted[1..quoted.len() - 1].char_indices();
    while let Some((at, c)) = inner.next() {
        if c != '\\' {
            value.push(c);
            continue;
        }
        let escaped = inner.next().map_or('\\', |(_, c)| c);
        match escaped {
            '"' | '\\' => value.push(escaped),
            'n' => value.push('\n'),
            't' => value.push('\t'),
            _ => {
                let start = span.start + 1 + at;
                let escape = Span::new(span.file, start, start + 1 + escaped.len_utf8());
                return Err(Diagnostic::new(
                    Code::UnknownEscape,
                    format!("unknown escape `\\{}`", escaped.escape_debug()),
                )
                .at(escape, "not one of `\\\"`, `\\\\`, `\\n`, `\\t`")
                .suggest("to mean a backslash, write two", escape, format!("\\\\{escaped}")));
            }
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Sources;

    fn value(spelling: &str) -> Option<f64> {
        let file = Sources::default().add("", spelling);
        number(spelling, Span::new(file, 0, spelling.len())).ok().map(|number| number.value)
    }

    #[test]
    fn units_scale_before_rounding() {
        assert_eq!(value("0.3K"), Some(300.0));
        assert_eq!(value("1.4B"), Some(1.4e9));
        assert_eq!(value("4.35K"), Some(4350.0));
        assert_eq!(value("0.1%"), Some(0.001));
        assert_eq!(value("6e-4"), Some(6e-4));
        assert_eq!(value("0.0e5M"), Some(0.0));
    }

    #[test]
    fn numbers_outside_f64_are_errors() {
        for spelling in ["1e309", "1e-400", "1e99999999999999999999", "1e2147483647B", "9e307K"] {
            assert_eq!(value(spelling), None, "{spelling}");
        }
        assert_eq!(value(&"9".repeat(400)), None);
    }
}
