//! The token file, all numbers little-endian:
//!
//! | what | bytes |
//! | --- | --- |
//! | header: eight numbers of 64 bits, see [`Header`] | 64 |
//! | the tokens of all documents | tokens × 2 or 4, then zeros to a multiple of 8 |
//! | index: for each document the token after its last one, and the hash of its text | documents × 16 |
//!
//! The header has a hash of itself and one of the index, so that a foreign or truncated file is found when it is opened.
//! The tokens have none: reading all of them could take minutes.

use std::io::{self, Seek, SeekFrom, Write};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: u64 = u64::from_le_bytes(*b"tfctoken");
const VERSION: u64 = 1;
pub(super) const HEADER: usize = 64;
pub(super) const ENTRY: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub vocab: u32,
    pub tokens: u64,
    pub documents: u64,
    /// [`Tokenizer::hash`](crate::data::Tokenizer::hash).
    pub tokenizer: u64,
    /// Of the bytes of the index; so it depends on the text of every document.
    pub index: u64,
}

impl Header {
    /// Bytes a token takes.
    pub fn width(&self) -> usize {
        if self.vocab <= 1 << 16 { 2 } else { 4 }
    }

    /// Where the index starts, if that is a number at all.
    pub fn index_start(&self) -> Option<usize> {
        let tokens = usize::try_from(self.tokens).ok()?.checked_mul(self.width())?;
        tokens.checked_add(HEADER)?.checked_next_multiple_of(8)
    }

    /// How long the file is.
    pub fn length(&self) -> Option<usize> {
        let index = usize::try_from(self.documents).ok()?.checked_mul(ENTRY)?;
        self.index_start()?.checked_add(index)
    }

    pub fn to_bytes(self) -> [u8; HEADER] {
        let Header { vocab, tokens, documents, tokenizer, index } = self;
        let mut bytes = [0; HEADER];
        let numbers = [MAGIC, VERSION, u64::from(vocab), tokens, documents, tokenizer, index];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let hash = xxh3_64(&bytes[..HEADER - 8]);
        bytes[HEADER - 8..].copy_from_slice(&hash.to_le_bytes());
        bytes
    }

    /// Reads a header, or says what is wrong with the file, as the end of a sentence that starts with its name.
    pub fn read(file: &[u8]) -> Result<Header, String> {
        if !is_token_file(file) {
            return Err("is not a token file; make one with `tfc data`".into());
        }
        let Some(bytes) = file.get(..HEADER) else {
            return Err("is truncated within its header; make it again with `tfc data`".into());
        };
        let [_, version, vocab, tokens, documents, tokenizer, index, hash] =
            std::array::from_fn(|i| number(bytes, 8 * i));
        if version != VERSION {
            return Err(format!(
                "is a token file of version {version}, but this tfc reads version {VERSION}; make it again with `tfc data`"
            ));
        }
        let vocab = u32::try_from(vocab).ok().filter(|_| hash == xxh3_64(&bytes[..HEADER - 8]));
        let header = vocab.map(|vocab| Header { vocab, tokens, documents, tokenizer, index });
        header.ok_or_else(|| "has a damaged header; make it again with `tfc data`".into())
    }
}

pub(super) fn is_token_file(start: &[u8]) -> bool {
    start.starts_with(&MAGIC.to_le_bytes())
}

/// The 64-bit number at byte `place`.
pub(super) fn number(bytes: &[u8], place: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[place + i]))
}

/// Writes a token file document by document.
pub(super) struct TokenWriter<W: Write + Seek> {
    out: W,
    header: Header,
    index: Vec<u8>,
}

impl<W: Write + Seek> TokenWriter<W> {
    pub fn new(mut out: W, vocab: u32, tokenizer: u64) -> io::Result<Self> {
        out.write_all(&[0; HEADER])?;
        let header = Header { vocab, tokens: 0, documents: 0, tokenizer, index: 0 };
        Ok(TokenWriter { out, header, index: Vec::new() })
    }

    pub fn push(&mut self, text_hash: u64, ids: &[u32]) -> io::Result<()> {
        let bytes: Vec<u8> = match self.header.width() {
            2 => ids.iter().flat_map(|&id| (id as u16).to_le_bytes()).collect(),
            _ => ids.iter().flat_map(|id| id.to_le_bytes()).collect(),
        };
        self.out.write_all(&bytes)?;
        self.header.tokens += ids.len() as u64;
        self.header.documents += 1;
        self.index.extend([self.header.tokens, text_hash].map(u64::to_le_bytes).as_flattened());
        Ok(())
    }

    /// Completes the file and gives back where it was written.
    pub fn finish(mut self) -> io::Result<W> {
        let tokens = self.header.tokens as usize * self.header.width();
        self.out.write_all(&[0; 8][..tokens.next_multiple_of(8) - tokens])?;
        self.out.write_all(&self.index)?;
        self.header.index = xxh3_64(&self.index);
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&self.header.to_bytes())?;
        Ok(self.out)
    }
}
