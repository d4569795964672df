//! Text to ids and back: bytes, or a Hugging Face `tokenizer.json`.

mod bytes;
mod detokenizer;
mod train;

pub use detokenizer::Detokenizer;

use crate::{Failure, Result, storage};
use bytes::bytes_json;
use std::path::Path;
use tokenizers::Tokenizer as HuggingFace;
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
        Ok(Tokenizer { kind: Kind::HuggingFace(Box::new(tokenizer)), json })
    }

    /// One more than the largest id.
    pub fn vocab(&self) -> u32 {
        match &self.kind {
            Kind::Bytes => 256,
            Kind::HuggingFace(tokenizer) => tokenizer.get_vocab(true).values().max().map_or(0, |id| id + 1),
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
        match &self.kind {
            Kind::Bytes => Ok(text.bytes().map(u32::from).collect()),
            Kind::HuggingFace(tokenizer) => {
                let encoding = tokenizer.encode_fast(text, false).map_err(unencodable)?;
                Ok(encoding.get_ids().to_vec())
            }
        }
    }

    /// The ids of several texts, on all threads.
    pub fn encode_all(&self, texts: &[String]) -> Result<Vec<Vec<u32>>> {
        match &self.kind {
            Kind::Bytes => texts.iter().map(|text| self.encode(text)).collect(),
            Kind::HuggingFace(tokenizer) => {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                let encodings = tokenizer.encode_batch_fast(texts, false).map_err(unencodable)?;
                Ok(encodings.iter().map(|encoding| encoding.get_ids().to_vec()).collect())
            }
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

fn unencodable(error: tokenizers::Error) -> Failure {
    Failure::mistake(format!("the tokenizer cannot encode this text: {error}; check its `tokenizer.json`"))
}

#[cfg(test)]
mod tests;
