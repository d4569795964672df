//! Every `tfm` block of every page is what the page says it is.

use crate::context;
use crate::page::{Block, blocks, files, name, root};
use crate::verdict::{Files, Verdict, formatted};
use tfc_compiler::check::Options;
use tfc_grammar::Code;

/// Made from the table of codes, and tested with it.
const GENERATED: &str = "docs/diagnostics.md";

/// What the first line of a block says about it.
#[derive(Default)]
struct Promise {
    /// The name of a place, and the context that has it.
    context: Option<(String, String)>,
    /// The error or warning that it causes.
    code: Option<Code>,
    /// The file that it is.
    file: Option<String>,
}

#[test]
fn every_block_is_what_the_page_says() {
    let mut wrong = Vec::new();
    for page in files(&root(), ".md").into_iter().filter(|page| name(page) != GENERATED) {
        let mut files = Files::default();
        for block in blocks(&page).into_iter().filter(|block| block.words[0] == "tfm") {
            if let Err(why) = keeps_its_promise(&block, &mut files) {
                wrong.push(format!("{}: {why}\n", block.place));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn keeps_its_promise(block: &Block, files: &mut Files) -> Result<(), String> {
    let promise = Promise::read(&block.words[1..])?;
    let (text, depth) = match &promise.context {
        Some((name, context)) => (context::put(&block.text, name, context), context::depth(name, context)),
        None => (block.text.clone(), 0),
    };
    let path = promise.file.as_deref().unwrap_or("example.tfm");
    files.0.insert(path.into(), text.clone());
    is_answered(&files.check(path, &Options::default()), &promise)?;
    match formatted(&text) {
        Some(laid_out) if !laid_out.contains(&context::at_depth(&block.text, depth)) => {
            Err(format!("`tfc fmt` lays it out otherwise:\n{laid_out}"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The code that is promised, and nothing else; where none is promised, a model, or a library of layers. What a context defines may
/// be of no use to a block.
fn is_answered(verdict: &Verdict, promise: &Promise) -> Result<(), String> {
    let unused = [Code::UnusedBinding, Code::UnusedDefinition];
    let codes: Vec<Code> = verdict
        .codes()
        .into_iter()
        .filter(|code| promise.context.is_none() || promise.code == Some(*code) || !unused.contains(code))
        .collect();
    let complete = verdict.model.is_some() || promise.file.is_some();
    match promise.code {
        None if codes.is_empty() && complete => Ok(()),
        None => Err(format!("it does not check\n{}", verdict.rendered)),
        Some(code) if codes == [code] => Ok(()),
        Some(code) => Err(format!("it should be answered by {} alone\n{}", code.id(), verdict.rendered)),
    }
}

impl Promise {
    fn read(words: &[String]) -> Result<Promise, String> {
        let mut promise = Promise::default();
        for word in words {
            match word.split_once('=') {
                Some(("error" | "warning", id)) => {
                    let code = Code::ALL.iter().copied().find(|code| code.id() == id);
                    promise.code = Some(code.ok_or(format!("there is no code {id}"))?);
                }
                Some(("file", file)) => promise.file = Some(file.to_string()),
                Some(_) => return Err(format!("`{word}` means nothing behind `tfm`")),
                None => {
                    let context = context::find(word).ok_or(format!("there is no context `{word}`"))?;
                    promise.context = Some((word.clone(), context));
                }
            }
        }
        Ok(promise)
    }
}
