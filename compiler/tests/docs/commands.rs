//! Specs that commands of the documentation name are there, and check with what the commands set.

use crate::page::{files, name, read, root};
use crate::verdict::Files;
use tfc_compiler::check::Options;

#[test]
fn the_specs_of_commands_check_with_their_settings() {
    let mut wrong = Vec::new();
    for page in files(&root(), ".md") {
        for command in read(&page).lines().filter_map(command) {
            let words: Vec<&str> = command.split(' ').collect();
            let Some(spec) = words.iter().find(|word| word.contains('/') && word.ends_with(".tfm")) else { continue };
            let settings = words.windows(2).filter(|pair| matches!(pair[0], "--set" | "--sweep"));
            let first = |setting: &str| setting.split(',').next().unwrap_or_default().to_string();
            let set = settings.map(|pair| first(pair[1])).collect();
            let verdict = Files::default().check(spec, &Options { set });
            if verdict.model.is_none() {
                wrong.push(format!("{}: {command}\n{}", name(&page), verdict.rendered));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The command of an indented line, without the comment behind it.
fn command(line: &str) -> Option<&str> {
    let command = line.strip_prefix("    ").filter(|command| command.starts_with("tfc "))?;
    Some(command.split(" # ").next().unwrap_or_default().trim())
}
