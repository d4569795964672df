//! Every spec that people start from checks without errors, and is laid out as `tfc fmt` lays it out.

use crate::page::{files, name, read, root};
use crate::verdict::{Files, formatted};
use tfc_compiler::check::Options;

#[test]
fn specs_and_examples_check_and_are_formatted() {
    let folders = ["specs", "examples"].map(|folder| root().join(folder));
    let specs: Vec<_> = folders.iter().flat_map(|folder| files(folder, ".tfm")).collect();
    assert!(!specs.is_empty());
    let mut wrong = Vec::new();
    for spec in specs {
        let verdict = Files::default().check(&name(&spec), &Options::default());
        if verdict.diagnostics.iter().any(|diagnostic| diagnostic.is_error()) || verdict.model.is_none() {
            wrong.push(format!("{}:\n{}", name(&spec), verdict.rendered));
        } else if formatted(&read(&spec)).as_ref() != Some(&read(&spec)) {
            wrong.push(format!("{0} is not laid out; `tfc fmt {0}` does it", name(&spec)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
