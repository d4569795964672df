//! What the compiler prints stands in the documentation as it prints it.
//!
//! A block ```` ```text,emit=plan,of=small.tfm ```` holds what `tfc compile --emit plan --entry eval` says of the page's file
//! `small.tfm`. With `UPDATE_DOCS` set, such blocks are written anew.

use crate::page::{Block, blocks, files, read, root};
use crate::verdict::Files;
use tfc_compiler::check::Options;
use tfc_compiler::compile::{compile, compile_for_inference, lowered};
use tfc_compiler::compiled::Entry;
use tfc_compiler::model::Model;
use tfc_compiler::optimization::Disabled;

#[test]
fn what_is_printed_is_what_is_shown() {
    for page in files(&root(), ".md") {
        let mut given = Files::default();
        for block in blocks(&page) {
            if let (Some(name), "tfm") = (word(&block, "file"), block.words[0].as_str()) {
                given.0.insert(name.into(), block.text.clone());
            }
            let (Some(stage), Some(spec)) = (word(&block, "emit"), word(&block, "of")) else { continue };
            let model =
                given.check(spec, &Options::default()).model.unwrap_or_else(|| panic!("{}: {spec}", block.place));
            let printed = emitted(stage, model);
            if std::env::var_os("UPDATE_DOCS").is_some() {
                let heading = format!("```{}\n", block.words.join(","));
                let text =
                    read(&page).replace(&format!("{heading}{}```", block.text), &format!("{heading}{printed}```"));
                std::fs::write(&page, text).expect("the page can be written");
            } else {
                assert_eq!(
                    block.text, printed,
                    "{}: UPDATE_DOCS=1 cargo test -p tfc-compiler --test docs",
                    block.place
                );
            }
        }
    }
}

fn word<'b>(block: &'b Block, name: &str) -> Option<&'b str> {
    block.words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn emitted(stage: &str, model: Model) -> String {
    match stage {
        "graph" => lowered(&model, &Entry::Evaluate).to_string(),
        "grad" => compile(model, &[Entry::Evaluate]).graphs[0].to_string(),
        "plan" => compile_for_inference(model, &[Entry::Evaluate], &Disabled::default()).program.to_string(),
        other => panic!("no block shows `{other}`"),
    }
}
