//! Every example in the table of diagnostics is answered by its own code.

use crate::verdict::Files;
use tfc_compiler::check::Options;
use tfc_grammar::Code;

#[test]
fn every_example_is_answered_by_its_code() {
    let mut wrong = Vec::new();
    for code in Code::ALL.iter().copied() {
        let Some(example) = code.example() else { continue };
        let mut files = Files::default();
        files.0.insert("this.tfm".into(), example.into());
        files.0.insert("lib.tfm".into(), "let width = 64\n".into());
        let verdict = files.check("this.tfm", &Options::default());
        if !verdict.codes().contains(&code) {
            let codes: Vec<&str> = verdict.codes().iter().map(|code| code.id()).collect();
            wrong.push(format!("{} is answered by {codes:?}:\n{example}", code.id()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
