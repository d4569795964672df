//! Every spec that people start from checks without errors, is laid out as `tfc fmt` lays it out, and means the same in the one
//! text that a run keeps of it.

use crate::page::{files, name, read, root};
use crate::verdict::{Files, Verdict, formatted};
use std::path::Path;
use tfc_compiler::check::Options;

#[test]
fn specs_and_examples_are_sound() {
    let folders = ["specs", "examples"].map(|folder| root().join(folder));
    let specs = folders.iter().flat_map(|folder| files(folder, ".tfm"));
    let wrong: Vec<String> = specs.filter_map(|spec| what_is_wrong(&spec)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn what_is_wrong(spec: &Path) -> Option<String> {
    let path = name(spec);
    let verdict = Files::default().check(&path, &Options::default());
    if !verdict.rendered.is_empty() {
        return Some(format!("{path}:\n{}", verdict.rendered));
    }
    if formatted(&read(spec)).as_ref() != Some(&read(spec)) {
        return Some(format!("{path} is not laid out; `tfc fmt {path}` does it"));
    }
    let mut kept = Files::default();
    kept.0.insert("model.tfm".into(), verdict.resolved.clone());
    let again = kept.check("model.tfm", &Options::default());
    (meaning(&again) != meaning(&verdict)).then(|| format!("{path}, as a run keeps it:\n{}", again.rendered))
}

/// Paths and shapes of the parameters, and the sizes and recipe of each stage, without places in the text.
fn meaning(verdict: &Verdict) -> Option<String> {
    let model = verdict.model.as_ref()?;
    let parameters: Vec<_> = model.parameters.iter().map(|p| (&p.path, &p.shape, &p.init)).collect();
    let stages: Vec<_> = model.experiment.stages.iter().map(|s| (&s.name, &s.tokens, &s.end, s.seed)).collect();
    Some(format!("{parameters:?}\n{stages:?}\n{}", verdict.resolved))
}
