//! What holds of every text and every tree.

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::sample::Index;
use tfc_grammar::ast::File;
use tfc_grammar::{Color, Diagnostic, Sources, format, parse_bytes, render_all};

use crate::generators;

fn parsed(text: &str) -> (File, Vec<Diagnostic>, String) {
    let mut sources = Sources::default();
    let (file, errors) = parse_bytes(&mut sources, "some.tfm", text.as_bytes());
    let rendered = render_all(&sources, &errors, Color::Never);
    (file, errors, rendered)
}

/// A tree or a part of one as text, without spans and empty lines.
pub fn essence(tree: &impl Debug) -> String {
    let text = format!("{tree:?}").replace("blank_before: true", "blank_before: false");
    let mut parts = text.split("Span {");
    let mut essence = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // `file: FileId(0), start: 1, end: 2 }` and what follows.
        essence.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    essence
}

/// A valid text parses to what it was printed from, and is laid out already.
fn check_layout(file: &File) {
    let text = format(file);
    let (again, errors, rendered) = parsed(&text);
    assert!(errors.is_empty(), "{text}\n{rendered}");
    assert_eq!(essence(&again), essence(file), "{text}");
    assert_eq!(format(&again), text);
}

const TEXTS: [&str; 3] =
    [include_str!("sketches/growing.tfm"), include_str!("sketches/sayable.tfm"), include_str!("sketches/untidy.tfm")];

/// What to put in the place of a piece of text.
const PIECES: [&str; 44] = [
    "", " ", "  ", "\n", "\t", "\r\n", "{", "}", "(", ")", "[", "]", "\"", "\\", "//", "///", ",", ":", ";", ".", "..",
    "=", "+=", "*=", "==", "<", "|>", "+", "-", "*", "/", "%", "1", "1e999", "12K", "x", "if", "else", "let ", "on ",
    "stage ", "model ", "ä", "\u{feff}",
];

/// A valid text with a few pieces replaced, each a few characters long.
fn mutated() -> impl Strategy<Value = String> {
    let mutation = (any::<Index>(), 0..12usize, proptest::sample::select(&PIECES[..]));
    (proptest::sample::select(&TEXTS[..]), proptest::collection::vec(mutation, 1..6)).prop_map(|(text, mutations)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, length, piece) in mutations {
            let start = at.index(chars.len());
            let end = (start + length).min(chars.len());
            chars.splice(start..end, piece.chars());
        }
        chars.into_iter().collect()
    })
}

fn token_soup() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_tree_parses_to_itself(file in generators::file()) {
        check_layout(&file);
    }

    #[test]
    fn no_bytes_cause_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut sources = Sources::default();
        let (_, errors) = parse_bytes(&mut sources, "some.tfm", &bytes);
        render_all(&sources, &errors, Color::Always);
    }

    #[test]
    fn no_soup_of_tokens_causes_a_panic(text in token_soup()) {
        let (file, errors, _) = parsed(&text);
        if errors.is_empty() {
            check_layout(&file);
        }
    }

    #[test]
    fn damaged_files_are_errors_or_files(text in mutated()) {
        let (file, errors, _) = parsed(&text);
        if errors.is_empty() {
            check_layout(&file);
            let comments = essence(&file).matches("Comment {").count();
            assert_eq!(comments, comments_in(&text), "comments are kept: {text}");
        }
    }
}

fn comments_in(text: &str) -> usize {
    text.lines().filter(|line| outside_strings(line).contains("//")).count()
}

/// A line without the strings in it.
fn outside_strings(line: &str) -> String {
    let (mut outside, mut quoted, mut escaped) = (String::new(), false, false);
    for c in line.chars() {
        match c {
            '"' if !escaped && !outside.contains("//") => quoted = !quoted,
            _ if !quoted => outside.push(c),
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
    }
    outside
}

/// Parsing looks at everything a number of times that does not grow with its depth, and recovery is bounded.
#[test]
fn large_and_hostile_texts_end_soon() {
    for text in [
        "(".repeat(100_000),
        "{".repeat(100_000),
        "model x { y = ".to_owned() + &"(".repeat(60),
        "-".repeat(100_000),
        "a = 1\n".repeat(5_000),
        "// c\n".repeat(20_000),
        "\"".repeat(100_000),
        "x ".repeat(100_000),
        format!("train {{ x = {} }}", "1 + ".repeat(20_000)),
        format!("train {{ {} = 1 }}", "a".repeat(100_000)),
        format!("train {{ x = {} }}", "9".repeat(100_000)),
        format!("train {{\n{}}}", "x = (1\n".repeat(2_000)),
        format!("train {{\n{}}}", "x = f(a, [b], c = 3) |> g\n".repeat(1_000)),
    ] {
        let (file, errors, _) = parsed(&text);
        if errors.is_empty() {
            check_layout(&file);
        }
    }
}
