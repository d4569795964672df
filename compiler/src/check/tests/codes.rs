//! Every code of names, types and sizes: its example in the table, and the answer to it.

use super::check_files;
use tfc_grammar::{Code, Color, render_all};

/// Codes that no text alone causes, or that the tests of recipes cover.
fn is_covered(code: Code) -> bool {
    let id = code.id();
    let of_models = id.starts_with("E02") || id.starts_with("E03") || id.starts_with("W02");
    of_models || ["E0404", "E0405", "E0406", "E0407"].contains(&id)
}

#[test]
fn examples() {
    for code in Code::ALL.iter().filter(|code| is_covered(**code)) {
        let example = code.example().expect("these codes have examples");
        let files = [("root.tfm", example), ("this.tfm", example), ("lib.tfm", "let width = 64\n")];
        let (sources, checked) = check_files(&files, &[]);
        let answer = render_all(&sources, &checked.diagnostics, Color::Never);
        let found: Vec<Code> = checked.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        assert!(found.contains(code), "{}: {found:?}\n{answer}", code.id());
        let text = format!("{example}\n{answer}");
        insta::assert_snapshot!(code.id(), text);
    }
}
