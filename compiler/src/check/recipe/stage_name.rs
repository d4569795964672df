//! A stage whose name reads as a number of parameters should have about that many.

use super::Recipe;
use crate::quantity::short;
use tfc_grammar::ast::Text;
use tfc_grammar::{Code, Diagnostic};

/// How far a name may be off.
const TOLERANCE: f64 = 0.02;

impl Recipe<'_> {
    pub fn name_is_size(&self, name: &Text, tokens: &[i64]) {
        let Some(named) = size_in(&name.value) else { return };
        let Some(model) = self.model else { return };
        let count = model.parameter_count(&model.token_sizes(tokens));
        if (count as f64 / named - 1.0).abs() > TOLERANCE {
            let message = format!("stage \"{}\" has {} parameters", name.value, short(count));
            let diagnostic = Diagnostic::new(Code::StageNameOff, message).at(name.span, "reads as another number");
            self.report.push(diagnostic.note(format!("exactly {count} in this stage")));
        }
    }
}

/// The number that a name begins with, if it is one with a unit: `354M`, `1.4B`, `757M, as released`.
fn size_in(name: &str) -> Option<f64> {
    let digits = name.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = name[..digits].parse().ok()?;
    let mut rest = name[digits..].chars();
    let unit = match rest.next()? {
        'K' => 1e3,
        'M' => 1e6,
        'B' => 1e9,
        _ => return None,
    };
    let ends = rest.next().is_none_or(|c| !c.is_alphanumeric());
    (ends && number > 0.0).then_some(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_read_as_sizes() {
        assert_eq!(size_in("354M"), Some(354e6));
        assert_eq!(size_in("1.4B"), Some(1.4e9));
        assert_eq!(size_in("757M, as released"), Some(757e6));
        for name in ["tuned", "new only", "M", "3", "3 more", "12Mb", "1.2.3M", "0M", ""] {
            assert_eq!(size_in(name), None, "{name}");
        }
    }
}
