//! From syntax trees to the model: what a `.tfm` file means, or why it means nothing.
//!
//! - [`files`]: the root, what it uses, and the standard library.
//! - [`names`]: what stands at the level of files and models: constants, token groups, layers, the experiment's blocks.
//! - [`value`]: constant expressions.
//! - [`elaborate`]: `forward`, `loss` and the metrics, layer calls and repeats unrolled, each value typed.
//! - [`recipe`]: data, training and growth, one resolved recipe a stage.
//!
//! What fails becomes an error value that silences what depends on it, so one run reports many independent errors.

mod elaborate;
mod files;
mod mentions;
mod names;
mod recipe;
mod report;
mod resolved;
mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod unused;
mod value;

use crate::model::Model;
use files::Files;
use names::Names;
use report::Report;
use settings::Settings;
use tfc_grammar::{Diagnostic, Sources};

/// What a check needs from outside. Paths are relative to where the root's path is.
pub trait Loader {
    /// The bytes of a file, or why there are none.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    /// How many ids the tokenizer at a path makes (the largest id + 1), or why that is not known.
    fn vocabulary(&self, path: &str) -> Result<u64, String>;
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `name=value`, as in `--set`: a constant, free tokens, or the path of a field.
    pub set: Vec<String>,
}

#[derive(Debug)]
pub struct Checked {
    /// None if there are errors.
    pub model: Option<Model>,
    /// The experiment as one text that means the same: what it uses inlined, what `--set` says in place. Empty without a model.
    pub resolved: String,
    /// In the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Checks the experiment at `root` and whatever it uses; the texts are added to `sources`.
pub fn check(sources: &mut Sources, root: &str, loader: &dyn Loader, options: &Options) -> Checked {
    let report = Report::default();
    let resolved = resolve(sources, root, loader, options, &report).filter(|_| !report.has_errors());
    let (model, resolved) = resolved.unzip();
    Checked { model, resolved: resolved.unwrap_or_default(), diagnostics: report.finish() }
}

fn resolve(
    sources: &mut Sources,
    root: &str,
    loader: &dyn Loader,
    options: &Options,
    report: &Report,
) -> Option<(Model, String)> {
    let files = Files::load(sources, root, loader, report)?;
    // What the parser leaves out would be missed everywhere.
    if report.has_errors() {
        return None;
    }
    let settings = Settings::parse(sources, &options.set, report);
    let names = Names::new(&files, &settings, report);
    names.evaluate_all();
    let model = elaborate::elaborate(&names);
    let sections = recipe::sections(&names);
    let experiment = recipe::check(model.as_ref(), &names, &sections, loader);
    if !report.has_errors() {
        unused::warn(&files, report);
    }
    let text = resolved::resolved(&files, &names, &sections);
    model.map(|model| (Model { experiment, ..model }, text))
}
