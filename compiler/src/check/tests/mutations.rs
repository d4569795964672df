//! Nothing a file says can crash the checker: mutations of a right file are answered, with a model or with errors.

use super::check_files;
use super::models::TINY;
use proptest::prelude::*;
use tfc_grammar::{Color, Diagnostic, render_all};

/// What is put in place of a word of the file, besides its other words.
const STRANGE: [&str; 24] = [
    "0",
    "1",
    "-1",
    "0.5",
    "1e15",
    "1e308",
    "none",
    "layer",
    "d",
    "n",
    "repeat",
    "parameter",
    "tied",
    "init",
    "active",
    "repeats",
    "[",
    "..",
    "if",
    "/",
    "-",
    "(x)",
    "sqrt(ffn)",
    "x[.., 0]",
];

/// The words of a text: names and numbers whole, everything else by character.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = if in_word(first) { rest.find(|c| !in_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        words.push(&rest[..end]);
        rest = &rest[end..];
    }
    words
}

fn mutated(changes: &[(prop::sample::Index, prop::sample::Index)]) -> String {
    let mut words = words(TINY);
    let others: Vec<&str> = words.iter().copied().chain(STRANGE).collect();
    for (place, other) in changes {
        let place = place.index(words.len());
        words[place] = others[other.index(others.len())];
    }
    words.concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn mutations_are_answered(changes in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 1..4)) {
        let text = mutated(&changes);
        let (sources, checked) = check_files(&[("root.tfm", &text)], &[]);
        let wrong = checked.diagnostics.iter().any(Diagnostic::is_error);
        prop_assert_eq!(checked.model.is_none(), wrong, "{}", text);
        prop_assert!(checked.diagnostics.iter().all(|d| d.span().is_some()));
        render_all(&sources, &checked.diagnostics, Color::Never);
        if let Some(model) = checked.model {
            prop_assert!(!model.to_string().is_empty());
        }
    }
}
