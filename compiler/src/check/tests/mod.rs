//! Whole files through the checker: what they become, and what their mistakes are answered.

mod codes;
mod mistakes;
mod models;
mod zoo;

use super::{Checked, Loader, Options, check};
use crate::model::Model;
use tfc_grammar::{Color, Sources, render_all};

/// Files by path; the root is `root.tfm`.
struct Texts<'a>(&'a [(&'a str, &'a str)]);

impl Loader for Texts<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| "no such file".to_string())
    }

    fn vocabulary(&self, _: &str) -> Result<u64, String> {
        Ok(256)
    }
}

fn check_files(files: &[(&str, &str)], set: &[&str]) -> (Sources, Checked) {
    let mut sources = Sources::default();
    let options = Options { set: set.iter().map(|set| set.to_string()).collect() };
    let checked = check(&mut sources, "root.tfm", &Texts(files), &options);
    (sources, checked)
}

/// The model of a file that must be right.
fn model(text: &str) -> Model {
    model_with(&[("root.tfm", text)], &[])
}

fn model_with(files: &[(&str, &str)], set: &[&str]) -> Model {
    let (sources, checked) = check_files(files, set);
    let rendered = render_all(&sources, &checked.diagnostics, Color::Never);
    checked.model.unwrap_or_else(|| panic!("no model:\n{rendered}"))
}

/// A file and its diagnostics.
fn answered(text: &str) -> String {
    let (sources, checked) = check_files(&[("root.tfm", text)], &[]);
    format!("{text}\n{}", render_all(&sources, &checked.diagnostics, Color::Never))
}
