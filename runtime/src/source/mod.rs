//! From a stage's `data` block to batches of the model's inputs.

mod images;
mod tokens;

pub use images::open_images;
pub use tokens::open_text;

use crate::data::{Order, Tokenizer};
use crate::train::StageData;
use crate::{Failure, Result};
use std::path::Path;
use tfc_compiler::model::{InputKind, Model, Stage, TokenizerSource};

/// Opens what a stage trains on and is validated on. Text is tokenised once into the folder `cache`.
pub fn open(model: &Model, stage: &Stage, cache: Option<&Path>) -> Result<StageData> {
    let recipe = stage.data.as_ref().ok_or_else(|| {
        Failure::mistake(format!(
            "stage `{}` has no `data` block, so there is nothing to train on; add one",
            stage.name
        ))
    })?;
    let order = Order::Shuffled { seed: stage.seed };
    if sees_images(model) {
        return images::open(model, recipe, order);
    }
    tokens::open(model, recipe, order, cache)
}

/// Whether the model's data is images.
pub fn sees_images(model: &Model) -> bool {
    model.inputs.iter().any(|input| matches!(input.kind, InputKind::Image { .. }))
}

pub fn tokenizer(source: &TokenizerSource) -> Result<Tokenizer> {
    match source {
        TokenizerSource::Bytes => Ok(Tokenizer::bytes()),
        TokenizerSource::File(path) => Tokenizer::open(Path::new(path)),
    }
}
