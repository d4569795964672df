//! `tfc data`: texts to token files, with a tokenizer that is given or trained.

use crate::arguments::Data;
use crate::console::Console;
use crate::stop::Outcome;
use std::path::Path;
use tfc_runtime::data::{Texts, Tokenizer, prepare, refuse_prepared};
use tfc_runtime::{Failure, Result};

pub fn run(command: &Data, console: &Console) -> Outcome {
    refuse_prepared(&command.out)?;
    let tokenizer = tokenizer(command, console)?;
    std::fs::create_dir_all(&command.out).map_err(|e| Failure::io("create", &command.out, &e))?;
    let corpus = prepare(&command.texts, &tokenizer, &command.out)?;
    let (documents, tokens) = (corpus.documents(), corpus.tokens());
    console.print(&format!("{tokens} tokens of {documents} documents in {}\n", corpus.path().display()))?;
    let kept = command.out.join("tokenizer.json");
    console.print(&format!("the tokenizer, {} entries, in {}\n", tokenizer.vocab(), kept.display()))?;
    Ok(())
}

/// `bytes`, `bpe:SIZE`, or the path of a tokenizer.json.
fn tokenizer(command: &Data, console: &Console) -> Result<Tokenizer> {
    if command.tokenizer == "bytes" {
        return Ok(Tokenizer::bytes());
    }
    let Some(entries) = command.tokenizer.strip_prefix("bpe:") else {
        return Tokenizer::open(Path::new(&command.tokenizer));
    };
    let entries = entries.parse::<u32>().map_err(|_| {
        Failure::mistake(format!("`{entries}` is no number of entries; write --tokenizer bpe:4096, for example"))
    })?;
    console.say(&format!("training a tokenizer of {entries} entries"));
    Tokenizer::train(entries, Texts::open(&command.texts)?)
}
