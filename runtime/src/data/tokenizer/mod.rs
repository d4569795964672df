//! Text to ids and back: bytes, or a Hugging Face `tokenizer.json`.

mod bytes;
mod detokenizer;
mod pieces;
mod train;

pub use detokenizer::Detokenizer;

use crate::{Failure, Result, storage};
use bytes::bytes_json;
use pieces::{PIECE, pieces};
use std::path::Path;
use tokenizers::Tokenizer as HuggingFace;
use tokenizers::models::ModelWrapper;
use tokenizers::utils::parallelism::MaybeParallelIterator;
use xxhash_rust::xxh3::xxh3_64;

/// A tokenizer and the text of its `tokenizer.json`.
pub struct Tokenizer {
    kind: Kind,
    json: String,
}

enum Kind {
    /// Id = byte.
    Bytes,
    HuggingFace(Box<HuggingFace>),
}

impl Tokenizer {
    /// Every byte is a token: vocabulary 256.
    pub fn bytes() -> Self {
        Tokenizer { kind: Kind::Bytes, json: bytes_json() }
    }

    /// Reads a `tokenizer.json`.
    pub fn open(path: &Path) -> Result<Self> {
        let json = storage::read_text(path)?;
        if json == bytes_json() {
            return Ok(Tokenizer::bytes());
        }
        let wrong = |error| {
            let what = format!("is not a Hugging Face tokenizer.json ({error}); name such a file, or `bytes`");
            Failure::broken(path, what)
        };
        Tokenizer::parse(json).map_err(wrong)
    }

    fn parse(json: String) -> tokenizers::Result<Self> {
        let mut tokenizer = HuggingFace::from_bytes(&json)?;
        // Documents are cut and batched here, whatever the file's author did.
        tokenizer.with_truncation(None)?.with_padding(None);
        // Nor does the same text ever give other ids.
        let mut model = tokenizer.get_model().clone();
        if let ModelWrapper::BPE(bpe) = &mut model {
            bpe.dropout = None;
        }
        tokenizer.with_model(model);
        Ok(Tokenizer { kind: Kind::HuggingFace(Box::new(tokenizer)), json })
    }

    /// One more than the largest id.
    pub fn vocab(&self) -> u32 {
        match &self.kind {
            Kind::Bytes => 256,
            Kind::HuggingFace(tokenizer) => {
                tokenizer.get_vocab(true).values().max().map_or(0, |id| id.saturating_add(1))
            }
        }
    }

    /// The `tokenizer.json` that stands for this tokenizer, that of `bytes` too: what a checkpoint keeps.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Tells tokenizers apart, in token files and checkpoints.
    pub fn hash(&self) -> u64 {
        xxh3_64(self.json.as_bytes())
    }

    /// The ids of a text. Special tokens written out in it become their ids; none are added.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.encode_all(&[text])?.concat())
    }

    /// The id of the text that stands for the end of a document.
    ///
    /// # Errors
    /// It is another number of tokens than one: no model could be seen to end a document by them.
    pub fn end_of_document(&self, end: &str) -> Result<u32> {
        match self.encode(end)?[..] {
            [id] => Ok(id),
            ref ids => {
                let what = format!("the end of documents `{end}` is {} tokens of the tokenizer", ids.len());
                Err(Failure::mistake(format!("{what}; name a single one")))
            }
        }
    }

    /// The ids of several texts, on all threads.
    pub fn encode_all(&self, texts: &[impl AsRef<str>]) -> Result<Vec<Vec<u32>>> {
        self.encode_in_pieces(texts, PIECE)
    }

    fn encode_in_pieces(&self, texts: &[impl AsRef<str>], size: usize) -> Result<Vec<Vec<u32>>> {
        match &self.kind {
            Kind::Bytes => Ok(texts.iter().map(|text| text.as_ref().bytes().map(u32::from).collect()).collect()),
            Kind::HuggingFace(tokenizer) => encode_in_pieces(tokenizer, texts, size).map_err(|error| {
                Failure::mistake(format!("the tokenizer cannot encode this text: {error}; check its `tokenizer.json`"))
            }),
        }
    }

    /// The text of ids, with U+FFFD for bytes that are no part of a character. Ids outside of the vocabulary are left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        match &self.kind {
            Kind::Bytes => {
                let bytes: Vec<u8> = ids.iter().filter_map(|&id| u8::try_from(id).ok()).collect();
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            Kind::HuggingFace(tokenizer) => tokenizer.decode(ids, false).map_err(|error| {
                Failure::mistake(format!("the tokenizer cannot decode: {error}; check its `decoder`"))
            }),
        }
    }
}

fn encode_in_pieces(
    tokenizer: &HuggingFace,
    texts: &[impl AsRef<str>],
    size: usize,
) -> tokenizers::Result<Vec<Vec<u32>>> {
    let encode = |text: &str| Ok(tokenizer.encode_fast(text, false)?.get_ids().to_vec());
    let seamless = |left: &str, right: &str| {
        let [left_ids, right_ids, ids] = [left, right, &[left, right].concat()].map(encode);
        tokenizers::Result::Ok([left_ids?, right_ids?].concat() == ids?)
    };
    let seamless = |left: &str, right: &str| seamless(left, right).unwrap_or(false);
    let texts: Vec<Vec<&str>> = texts.iter().map(|text| pieces(text.as_ref(), size, seamless)).collect();
    let all: Vec<&str> = texts.concat();
    let mut ids = all.into_maybe_par_iter().map(encode).collect::<tokenizers::Result<Vec<_>>>()?.into_iter();
    Ok(texts.iter().map(|pieces| ids.by_ref().take(pieces.len()).flatten().collect()).collect())
}

#[cfg(test)]
mod tests;
