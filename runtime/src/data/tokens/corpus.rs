//! A corpus: the tokens of all documents of a data set.

use super::format::{ENTRY, HEADER, Header, number};
use crate::data::Tokenizer;
use crate::storage::Bytes;
use crate::{Failure, Result};
use std::ops::Range;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// A token file, mapped or in memory.
pub struct Corpus {
    /// What errors name.
    path: PathBuf,
    bytes: Bytes,
    header: Header,
    index_start: usize,
}

impl Corpus {
    /// Maps a token file. Every way in which it can be wrong is found here, except for damaged tokens.
    pub fn open(path: &Path) -> Result<Self> {
        Corpus::new(path, Bytes::map(path)?)
    }

    pub(super) fn new(path: &Path, bytes: Bytes) -> Result<Self> {
        let header = Header::read(&bytes).map_err(|what| Failure::broken(path, what))?;
        let damaged = |what: &str| Failure::broken(path, format_args!("{what}; make it again with `tfc data`"));
        let (Some(index_start), Some(length)) = (header.index_start(), header.length()) else {
            return Err(damaged("has a damaged header"));
        };
        if bytes.len() != length {
            return Err(damaged(&format!(
                "has {} bytes where its header promises {length}, it is truncated",
                bytes.len()
            )));
        }
        let corpus = Corpus { path: path.to_owned(), bytes, header, index_start };
        let mut ends = (0..corpus.documents()).map(|document| corpus.end(document));
        let sound = xxh3_64(&corpus.bytes[index_start..]) == header.index
            && ends.try_fold(0, |last, end| (last <= end).then_some(end)) == Some(header.tokens);
        if sound { Ok(corpus) } else { Err(damaged("has a damaged index of documents")) }
    }

    /// What errors name: the text, not the file in which its tokens are kept.
    pub(super) fn named(mut self, path: &Path) -> Self {
        self.path = path.to_owned();
        self
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn tokens(&self) -> u64 {
        self.header.tokens
    }

    pub fn documents(&self) -> u64 {
        self.header.documents
    }

    /// All tokens are below it.
    pub fn vocab(&self) -> u32 {
        self.header.vocab
    }

    /// Identifies texts and tokenizer: equal for the same documents in the same order.
    pub fn hash(&self) -> u64 {
        xxh3_64(&self.header.to_bytes())
    }

    /// An error unless the corpus was made with this tokenizer.
    pub fn check_tokenizer(&self, tokenizer: &Tokenizer) -> Result<()> {
        if self.header.tokenizer == tokenizer.hash() && self.header.vocab <= tokenizer.vocab() {
            return Ok(());
        }
        let way_out = "make it again with `tfc data`, or name the tokenizer.json beside it";
        Err(Failure::broken(&self.path, format_args!("was made with another tokenizer than the spec's; {way_out}")))
    }

    /// The tokens of a document.
    pub fn document(&self, document: u64) -> Range<u64> {
        let start = if document == 0 { 0 } else { self.end(document - 1) };
        start..self.end(document)
    }

    /// The hash of a document's text.
    pub fn document_hash(&self, document: u64) -> u64 {
        number(&self.bytes, self.entry(document) + 8)
    }

    /// Appends the tokens in `range` to `ids`. Damage that makes one reach outside of the vocabulary is an error.
    pub fn read(&self, range: Range<u64>, ids: &mut Vec<i32>) -> Result<()> {
        let width = self.header.width();
        let bytes = &self.bytes[HEADER + range.start as usize * width..HEADER + range.end as usize * width];
        let first = ids.len();
        match width {
            2 => ids.extend(bytes.chunks_exact(2).map(|id| i32::from(u16::from_le_bytes([id[0], id[1]])))),
            _ => ids.extend(bytes.chunks_exact(4).map(|id| i32::from_le_bytes([id[0], id[1], id[2], id[3]]))),
        }
        let vocab = self.header.vocab;
        match ids[first..].iter().find(|id| id.cast_unsigned() >= vocab) {
            None => Ok(()),
            Some(id) => {
                let what = format!("is damaged: it has token {} but a vocabulary of {vocab}", id.cast_unsigned());
                Err(Failure::broken(&self.path, format_args!("{what}; make it again with `tfc data`")))
            }
        }
    }

    fn end(&self, document: u64) -> u64 {
        number(&self.bytes, self.entry(document))
    }

    fn entry(&self, document: u64) -> usize {
        self.index_start + document as usize * ENTRY
    }
}
