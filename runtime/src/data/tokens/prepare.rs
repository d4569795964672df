//! Text to token files: what `tfc data` does, and what happens when a spec names text directly.

use super::Corpus;
use super::format::{TokenWriter, is_token_file};
use crate::data::{Texts, Tokenizer};
use crate::storage::{Bytes, NewFile, read_text};
use crate::{Failure, Result};
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The names of the files in a folder made by `tfc data`.
const TOKENS: &str = "data.tokens";
const TOKENIZER: &str = "tokenizer.json";

/// Texts are tokenised this many bytes at a time: enough for all threads, small beside any model.
const CHUNK: usize = 8 << 20;

/// `tfc data`: tokenises texts into `folder`, which gets the token file and the tokenizer. Neither takes the place of another: there may be models
/// that know no other.
pub fn prepare(texts: &[PathBuf], tokenizer: &Tokenizer, folder: &Path) -> Result<Corpus> {
    refuse_prepared(folder)?;
    let (path, kept) = (folder.join(TOKENS), folder.join(TOKENIZER));
    let json = tokenizer.json();
    // A folder may have the tokenizer that its texts are to be tokenised with.
    if kept.exists() && read_text(&kept)? != json {
        return Err(exists(&kept));
    }
    // Both have their place on the disk before either has its name, and the tokenizer has its first: whenever this ends, no token file is left
    // without it, and one that is left alone is taken up by the next attempt.
    let mut file = NewFile::create(&kept)?;
    file.write_all(json.as_bytes()).and_then(|()| file.flush()).map_err(|error| file.failure(&error))?;
    let tokens = written(texts, tokenizer, &path)?;
    file.commit()?;
    tokens.commit()?;
    Corpus::open(&path)
}

/// What [`prepare`] would say of a folder with a token file, before a tokenizer is trained for it.
pub fn refuse_prepared(folder: &Path) -> Result<()> {
    let path = folder.join(TOKENS);
    if path.exists() { Err(exists(&path)) } else { Ok(()) }
}

fn exists(path: &Path) -> Failure {
    Failure::io("create", path, &io::ErrorKind::AlreadyExists.into())
}

impl Corpus {
    /// The data that a spec names: a token file, a folder made by `tfc data`, or texts: files and folders of them. Text is
    /// tokenised into a file in the folder `cache`, found there again as long as neither text nor tokenizer change; without
    /// `cache` into memory.
    pub fn load(paths: &[PathBuf], tokenizer: &Tokenizer, cache: Option<&Path>) -> Result<Self> {
        let mut tokens = None;
        for path in paths {
            tokens = token_file(path)?;
            if tokens.is_some() && paths.len() > 1 {
                let what =
                    "is made of tokens and stands beside another path; name only texts, or make one token file of all";
                return Err(Failure::broken(path, format_args!("{what} with `tfc data`")));
            }
        }
        let [path, ..] = paths else { return Err(Failure::mistake("no data is named; name a text file")) };
        let corpus = match (tokens, cache) {
            (Some(tokens), _) => Corpus::open(&tokens)?,
            (None, Some(cache)) => {
                let tokens = cache.join(format!("{:016x}.tokens", content_hash(paths, tokenizer)?));
                // What was kept and is damaged is made again, for it was made here.
                let kept = if tokens.exists() { Corpus::open(&tokens).ok() } else { None };
                let corpus = match kept {
                    Some(corpus) => corpus,
                    None => {
                        written(paths, tokenizer, &tokens)?.commit()?;
                        Corpus::open(&tokens)?
                    }
                };
                corpus.named(path)
            }
            (None, None) => {
                let memory = |error: &io::Error| Failure::io("tokenise", path, error);
                let bytes = tokenise(Texts::open(paths)?, tokenizer, Cursor::new(Vec::new()), memory)?;
                Corpus::new(path, Bytes::Owned(bytes.into_inner()))?
            }
        };
        corpus.check_tokenizer(tokenizer)?;
        Ok(corpus)
    }
}

/// The token file that `path` is or has, if it does not stand for text.
fn token_file(path: &Path) -> Result<Option<PathBuf>> {
    let path = if path.join(TOKENS).is_file() { path.join(TOKENS) } else { path.to_owned() };
    let failure = |error| Failure::io("read", &path, &error);
    if path.metadata().map_err(failure)?.is_dir() {
        return Ok(None);
    }
    let mut start = Vec::new();
    File::open(&path).and_then(|file| file.take(8).read_to_end(&mut start)).map_err(failure)?;
    // What is called so is never text, and a damaged one in a folder not a reason to train on the tokenizer beside it.
    let is_called_so = path.extension().is_some_and(|extension| extension == "tokens");
    Ok((is_called_so || is_token_file(&start)).then_some(path))
}

/// A token file with all of its contents, and not yet its name.
fn written(texts: &[PathBuf], tokenizer: &Tokenizer, path: &Path) -> Result<NewFile> {
    let texts = Texts::open(texts)?;
    let mut file = tokenise(texts, tokenizer, NewFile::create(path)?, |error| Failure::io("write", path, error))?;
    file.flush().map_err(|error| file.failure(&error))?;
    Ok(file)
}

/// Depends on every byte of the texts, on their borders, and on the tokenizer.
fn content_hash(texts: &[PathBuf], tokenizer: &Tokenizer) -> Result<u64> {
    let mut hash = Xxh3::with_seed(tokenizer.hash());
    for text in Texts::open(texts)? {
        hash.update(&xxh3_64(text?.as_bytes()).to_le_bytes());
    }
    Ok(hash.digest())
}

fn tokenise<W: Write + Seek>(
    texts: Texts,
    tokenizer: &Tokenizer,
    out: W,
    failure: impl Fn(&io::Error) -> Failure,
) -> Result<W> {
    let mut writer = TokenWriter::new(out, tokenizer.vocab(), tokenizer.hash()).map_err(|error| failure(&error))?;
    let mut flush = |chunk: &mut Vec<String>| {
        for (text, ids) in chunk.iter().zip(tokenizer.encode_all(chunk)?) {
            writer.push(xxh3_64(text.as_bytes()), &ids).map_err(|error| failure(&error))?;
        }
        chunk.clear();
        Ok(())
    };
    let mut chunk = Vec::new();
    let mut size = 0;
    for text in texts {
        let text = text?;
        size += text.len();
        chunk.push(text);
        if size >= CHUNK {
            flush(&mut chunk)?;
            size = 0;
        }
    }
    flush(&mut chunk)?;
    writer.finish().map_err(|error| failure(&error))
}
