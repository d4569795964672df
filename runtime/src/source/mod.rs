//! From a stage's `data` block to batches of the model's inputs.

mod images;
mod tokens;

pub use tokens::open_text;

use crate::data::{Order, Tokenizer};
use crate::train::StageData;
use crate::{Failure, Result};
use std::path::{Path, PathBuf};
use tfc_compiler::model::{self, InputKind, Model, Stage, TokenizerSource};

/// Opens what a stage trains on and is validated on. Text is tokenised once into the folder `cache`.
pub fn open(model: &Model, stage: &Stage, cache: Option<&Path>) -> Result<StageData> {
    let recipe = stage.data.as_ref().ok_or_else(|| {
        Failure::mistake(format!(
            "stage `{}` has no `data` block, so there is nothing to train on; add one",
            stage.name
        ))
    })?;
    let order = Order::Shuffled { seed: stage.seed };
    if model.inputs.iter().any(|input| matches!(input.kind, InputKind::Image { .. })) {
        return images::open(model, recipe, order);
    }
    tokens::open(model, recipe, order, cache)
}

pub fn tokenizer(source: &TokenizerSource) -> Result<Tokenizer> {
    match source {
        TokenizerSource::Bytes => Ok(Tokenizer::bytes()),
        TokenizerSource::File(path) => Tokenizer::open(Path::new(path)),
    }
}

fn one_path(corpus: &model::Corpus) -> Result<PathBuf> {
    match corpus.paths.as_slice() {
        [path] => Ok(PathBuf::from(path)),
        paths => {
            Err(Failure::mistake(format!("{} paths are named as one data set; put them in one folder", paths.len())))
        }
    }
}
