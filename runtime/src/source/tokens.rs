//! Texts and token files as sequences of ids.

use super::tokenizer;
use crate::data::{self, Corpus, Documents, Order, Part, Sequences, Tokenizer};
use crate::device::{HostTensor, Named};
use crate::train::{Batches, StageData};
use crate::{Failure, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tfc_compiler::model::{self, DataRecipe, InputKind, Model, Validation};

pub(super) fn open(model: &Model, recipe: &DataRecipe, order: Order, cache: Option<&Path>) -> Result<StageData> {
    let input = TokenInput::of(model)?;
    let tokenizer = tokenizer(&recipe.tokenizer)?;
    let documents = documents(&recipe.documents, &tokenizer)?;
    let load = |corpus: &model::Corpus| Ok::<_, Failure>(Arc::new(Corpus::load(&paths(corpus), &tokenizer, cache)?));
    let whole = load(&recipe.train)?;
    let mut train = None;
    let mut validate = Vec::new();
    for (name, validation) in &recipe.validate {
        let part = match validation {
            Validation::Paths(corpus) => Part::whole(load(corpus)?, &documents),
            Validation::HoldOut(fraction) => {
                let held = data::hold_out(&whole, &documents, *fraction, input.context)?;
                train = Some(held.train);
                held.validate
            }
        };
        validate.push((name.clone(), input.batches(part, Order::InOrder)?));
    }
    let train = train.unwrap_or_else(|| Part::whole(Arc::clone(&whole), &documents));
    Ok(StageData { train: input.batches(train, order)?, validate, tokenizer: Some(tokenizer.json().to_string()) })
}

fn paths(corpus: &model::Corpus) -> Vec<PathBuf> {
    corpus.paths.iter().map(PathBuf::from).collect()
}

fn documents(recipe: &model::Documents, tokenizer: &Tokenizer) -> Result<Documents> {
    match recipe {
        model::Documents::Separate => Ok(Documents::Separate),
        model::Documents::Join { end: None } => Ok(Documents::Join { end: Vec::new() }),
        model::Documents::Join { end: Some(end) } => Ok(Documents::Join { end: vec![tokenizer.end_of_document(end)?] }),
    }
}

/// A text or token file to evaluate on, with the tokenizer of a checkpoint.
pub fn open_text(
    model: &Model,
    path: &Path,
    tokenizer: &Tokenizer,
    recipe: Option<&DataRecipe>,
) -> Result<Box<dyn Batches>> {
    let input = TokenInput::of(model)?;
    let documents = match recipe {
        Some(recipe) => documents(&recipe.documents, tokenizer)?,
        None => Documents::Join { end: Vec::new() },
    };
    let corpus = Arc::new(Corpus::load(&[path.to_owned()], tokenizer, None)?);
    input.batches(Part::whole(corpus, &documents), Order::InOrder)
}

/// The input of a language model.
struct TokenInput {
    name: String,
    context: usize,
}

impl TokenInput {
    fn of(model: &Model) -> Result<TokenInput> {
        for input in &model.inputs {
            if let InputKind::TokenIds { context } = input.kind {
                return Ok(TokenInput { name: input.name.clone(), context: context as usize });
            }
        }
        Err(Failure::mistake("the model takes neither token ids nor images, so it cannot be trained on files of data"))
    }

    fn batches(&self, part: Part, order: Order) -> Result<Box<dyn Batches>> {
        let hash = part.corpus().hash();
        let sequences = Sequences::new(part, self.context, order)?;
        Ok(Box::new(TokenBatches { sequences, hash, name: self.name.clone(), context: self.context }))
    }
}

struct TokenBatches {
    sequences: Sequences,
    hash: u64,
    name: String,
    context: usize,
}

impl Batches for TokenBatches {
    fn per_epoch(&self) -> u64 {
        self.sequences.per_epoch()
    }

    fn hash(&self) -> u64 {
        self.hash
    }

    fn inputs(&self, cursor: u64, rows: u64) -> Result<Vec<Named>> {
        let batch = self.sequences.batch(cursor, rows as usize)?;
        let ids = HostTensor::I32 { shape: vec![batch.rows, self.context + 1], data: batch.ids };
        let length = self.context + 1;
        let starts = batch.document_starts.unwrap_or_else(|| vec![0; batch.rows * length]);
        let position = |(place, start): (usize, i32)| (place % length) as i32 - start;
        let data = starts.into_iter().enumerate().map(position).collect();
        let positions = HostTensor::I32 { shape: vec![batch.rows, length], data };
        Ok(vec![(self.name.clone(), ids), ("positions".to_string(), positions)])
    }

    fn targets(&self, _: u64, rows: u64) -> Result<u64> {
        Ok(rows * self.context as u64)
    }
}
