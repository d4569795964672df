//! Training a byte-level BPE tokenizer.

use super::Tokenizer;
use super::pieces::{PIECE, pieces};
use crate::{Failure, Result};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer as HuggingFace};

/// The mark of a document's end that trained tokenizers know as one token, id 0.
const END: &str = "<|endoftext|>";
/// What no merge is needed for: the bytes and the end mark.
const LEAST: u32 = 256 + 1;
/// Four times the largest vocabularies in use. The library takes memory for so many before it has seen a text.
const MOST: u32 = 1 << 20;

impl Tokenizer {
    /// Trains GPT-2's kind of tokenizer on documents: byte-level BPE with `entries` ids, fewer if the text has fewer
    /// pairs to merge. The same documents give the same tokenizer.
    pub fn train(entries: u32, documents: impl Iterator<Item = Result<String>> + Send) -> Result<Self> {
        if entries < LEAST {
            let why = format!("a byte-level BPE of {entries} entries is too small: 256 bytes and `{END}` come first");
            return Err(Failure::mistake(format!("{why}; ask for {LEAST} or more")));
        }
        if entries > MOST {
            let why = format!("a byte-level BPE of {entries} entries is larger than any model has use for");
            return Err(Failure::mistake(format!("{why}; ask for {MOST} or fewer")));
        }
        let bytes = ByteLevel::new(false, true, true);
        let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
            .vocab_size(entries as usize)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .special_tokens(vec![AddedToken::from(END, true)])
            .show_progress(false)
            .build()
            .into();
        let mut tokenizer = HuggingFace::new(BPE::default());
        tokenizer.with_pre_tokenizer(Some(bytes)).with_decoder(Some(bytes));

        // The trainer takes texts, not results: stop at the first failure and report it.
        let mut failure = None;
        let documents = documents.map_while(|document| document.map_err(|error| failure = Some(error)).ok());
        let cut = |document: String| {
            pieces(&document, PIECE, |_, _| true).into_iter().map(str::to_string).collect::<Vec<_>>()
        };
        let texts = documents.flat_map(cut);
        let trained = tokenizer.train(&mut trainer, texts).map(|_| ());
        if let Some(failure) = failure {
            return Err(failure);
        }
        trained.and_then(|()| tokenizer.to_string(true)).and_then(Tokenizer::parse).map_err(|error| {
            Failure::mistake(format!("cannot train a tokenizer on this text: {error}; give it other text"))
        })
    }
}
