//! From text to text.

use super::{Request, Stop, generate};
use crate::Result;
use crate::data::{Detokenizer, Tokenizer};
use crate::device::Session;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::model::{DataRecipe, Documents};

/// Takes the text as it comes, whole characters at a time.
pub type Writer<'a> = dyn FnMut(&str) -> Result<()> + 'a;

/// The token that ends a document, where the data says one.
///
/// # Errors
/// It is more than one token.
pub fn end_of_document(data: &DataRecipe, tokenizer: &Tokenizer) -> Result<Option<u32>> {
    match &data.documents {
        Documents::Join { end: Some(end) } => tokenizer.end_of_document(end).map(Some),
        Documents::Join { end: None } | Documents::Separate => Ok(None),
    }
}

/// Continues a text; without any, a new document is begun after the token that ends one.
pub fn generate_text(
    compiled: &Compiled,
    session: &mut dyn Session,
    tokenizer: &Tokenizer,
    request: Request<&str>,
    write: &mut Writer<'_>,
) -> Result<Stop> {
    let mut ids = tokenizer.encode(request.prompt)?;
    if ids.is_empty() {
        ids.extend(request.end);
    }
    let Request { tokens, sampling, end, .. } = request;
    let mut text = Detokenizer::new(tokenizer, end, &ids)?;
    let request = Request { prompt: &ids[..], tokens, sampling, end };
    let stop = generate(compiled, session, request, &mut |id| write(&text.push(id)?))?;
    write(text.held())?;
    Ok(stop)
}
