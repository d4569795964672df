//! What the compiler says of a file.

use crate::page::root;
use std::collections::BTreeMap;
use tfc_compiler::check::{Loader, Options, check};
use tfc_compiler::compile::lowered;
use tfc_compiler::compiled::Entry;
use tfc_compiler::model::Model;
use tfc_compiler::prove::{GrowthProof, prove};
use tfc_grammar::{Code, Color, Diagnostic, Sources, format, parse, render_all};

/// The files of one page, over those of the repository.
#[derive(Default)]
pub struct Files(pub BTreeMap<String, String>);

pub struct Verdict {
    pub model: Option<Model>,
    /// The one text that a run keeps.
    pub resolved: String,
    /// By stage.
    pub proofs: Vec<Option<GrowthProof>>,
    pub diagnostics: Vec<Diagnostic>,
    /// The diagnostics as a user sees them.
    pub rendered: String,
}

impl Loader for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match self.0.get(path) {
            Some(text) => Ok(text.clone().into()),
            None => std::fs::read(root().join(path)).map_err(|error| error.to_string()),
        }
    }

    /// Data is not there when documentation is tested, except for the best-known tokenizer.
    fn vocabulary(&self, path: &str) -> Result<u64, String> {
        if path.ends_with("20B_tokenizer.json") { Ok(50_277) } else { Err("it is not there".into()) }
    }
}

impl Files {
    pub fn check(&self, path: &str, options: &Options) -> Verdict {
        let mut sources = Sources::default();
        let checked = check(&mut sources, path, self, options);
        let (proofs, proven) = checked.model.as_ref().map(proofs).unwrap_or_default();
        let diagnostics = [checked.diagnostics, proven].concat();
        let rendered = render_all(&sources, &diagnostics, Color::Never);
        Verdict { model: checked.model, resolved: checked.resolved, proofs, diagnostics, rendered }
    }
}

/// As `tfc check` has them.
fn proofs(model: &Model) -> (Vec<Option<GrowthProof>>, Vec<Diagnostic>) {
    let grows = model.experiment.stages.iter().any(|stage| stage.growth.is_some());
    if !grows || model.program.loss.is_none() {
        return Default::default();
    }
    prove(model, &lowered(model, &Entry::Evaluate), &lowered(model, &Entry::Gradient))
}

impl Verdict {
    /// The codes, each once, in their order.
    pub fn codes(&self) -> Vec<Code> {
        let mut codes: Vec<Code> = self.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        codes.sort();
        codes.dedup();
        codes
    }
}

/// The text as `tfc fmt` lays it out; None if it is not well formed.
pub fn formatted(text: &str) -> Option<String> {
    let mut sources = Sources::default();
    let file = sources.add("text", text);
    let (tree, errors) = parse(&sources, file);
    errors.is_empty().then(|| format(&tree))
}
