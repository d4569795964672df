//! Every command that the documentation shows is one that this program understands.

use crate::arguments::Arguments;
use clap::{CommandFactory, Parser};
use std::fs;
use std::path::{Path, PathBuf};
use tfc_compiler::optimization::Optimization;

#[test]
fn every_command_shown_is_understood() {
    let mut wrong = Vec::new();
    for page in pages(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        let text = fs::read_to_string(&page).unwrap();
        for line in text.lines().filter_map(command) {
            if let Err(error) = Arguments::try_parse_from(words(line)) {
                wrong.push(format!("{}: {line}\n{error}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_optimization_is_documented() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ir.md")).unwrap();
    for name in Optimization::ALL.map(Optimization::name) {
        assert!(page.contains(&format!("| `{name}` |")), "docs/ir.md says nothing of `{name}`");
    }
}

#[test]
fn every_command_is_in_the_readme() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for command in Arguments::command().get_subcommands() {
        let name = command.get_name();
        assert!(readme.contains(&format!("| `tfc {name}")), "README.md says nothing of `tfc {name}`");
    }
}

/// The pages at the root and in docs/ and examples/.
fn pages(root: &Path) -> Vec<PathBuf> {
    let in_folder = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let examples = in_folder(root.join("examples")).flat_map(in_folder);
    let all = in_folder(root.to_owned()).chain(in_folder(root.join("docs"))).chain(examples);
    let mut pages: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    pages.sort();
    pages
}

/// The command of an indented line, without the comment behind it.
fn command(line: &str) -> Option<&str> {
    let command = line.strip_prefix("    ").filter(|command| command.starts_with("tfc "))?;
    Some(command.split(" # ").next().unwrap_or_default().trim())
}

/// A command line as a shell splits it, as far as quotes go.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            (' ', None) => words.push(String::new()),
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, _) => words.last_mut().expect("there is always one").push(c),
        }
    }
    words
}
