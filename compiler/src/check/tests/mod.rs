//! Whole files through the checker: what they become, and what their mistakes are answered.

mod codes;
mod limits;
mod mistakes;
mod models;
mod mutations;
mod zoo;

pub(crate) use zoo::spec;

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
pub(crate) fn model(text: &str) -> Model {
    sources_and_model(text).1
}

/// The same, with the text that its spans point into.
pub(crate) fn sources_and_model(text: &str) -> (Sources, Model) {
    right(check_files(&[("root.tfm", text)], &[]))
}

fn model_with(files: &[(&str, &str)], set: &[&str]) -> Model {
    right(check_files(files, set)).1
}

fn right((sources, checked): (Sources, Checked)) -> (Sources, Model) {
    let rendered = render_all(&sources, &checked.diagnostics, Color::Never);
    let model = checked.model.unwrap_or_else(|| panic!("no model:\n{rendered}"));
    (sources, model)
}

/// A file and its diagnostics.
fn answered(text: &str) -> String {
    let (sources, checked) = check_files(&[("root.tfm", text)], &[]);
    format!("{text}\n{}", render_all(&sources, &checked.diagnostics, Color::Never))
}
