//! Several texts at once, all at the same position: while one is still in its prompt, the next token is given; after it, drawn.

use super::{Decoder, Request, Stop};
use crate::device::Session;
use crate::{Failure, Result};
use std::ops::ControlFlow;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::size::Symbol;

/// A token, and the logits that it was drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'a> {
    pub token: u32,
    pub logits: &'a [f64],
    /// Whether it ends the document: it is no part of the text.
    pub is_end: bool,
}

/// Takes the tokens of the texts by number as they come; says whether a text goes on.
pub type Taker<'a> = dyn FnMut(usize, Drawn<'_>) -> Result<ControlFlow<()>> + 'a;

/// Continues prompts with the session's parameters, and says why each text ended.
///
/// # Errors
/// The model cannot generate, a prompt is empty or longer than the context, or `each` says so.
pub fn generate_side_by_side(
    compiled: &Compiled,
    session: &mut dyn Session,
    requests: &[Request<&[u32]>],
    each: &mut Taker<'_>,
) -> Result<Vec<Stop>> {
    let decoder = Decoder::new(compiled, session.sizes())?;
    let context = decoder.context;
    for request in requests {
        check(request, context)?;
    }
    let lengths = || requests.iter().map(|request| request.prompt.len() as u64);
    let shortest = lengths().min().unwrap_or(0);
    let all = requests.iter().map(|request| (request.prompt.len() as u64).saturating_add(request.tokens));
    let all = all.max().unwrap_or(0);
    let half = (context / 2).max(1);
    let longest = if all > context { shortest.max(half) } else { shortest };
    let sizes = session.sizes().clone().with(Symbol::BATCH, requests.len() as i64);
    let sizes = sizes.with(Symbol::SEQUENCE, longest as i64);
    session.resize(&sizes.with(Symbol::CAPACITY, all.min(context) as i64))?;

    let mut rows: Vec<Row> = requests.iter().map(Row::new).collect();
    // How many tokens of each window are in the cache.
    let mut known = 0;
    while rows.iter().any(|row| row.stop.is_none()) {
        if known as u64 == context {
            // No prompt is longer, so all windows are of one length.
            rows.iter_mut().for_each(|row| drop(row.window.drain(..row.window.len() - half as usize)));
            known = 0;
        }
        let next = rows.iter().map(|row| row.window.len()).min().unwrap_or(0);
        let fed: Vec<&[u32]> = rows.iter().map(|row| &row.window[known..next]).collect();
        let logits = decoder.logits(session, &fed, known as u64)?;
        known = next;
        for (i, (row, logits)) in rows.iter_mut().zip(&logits).enumerate() {
            if row.window.len() == known {
                let token = row.draw(logits, &mut |drawn| each(i, drawn))?;
                row.window.push(token);
            }
        }
    }
    Ok(rows.iter().map(|row| row.stop.unwrap_or(Stop::Length)).collect())
}

impl Request<&[u32]> {
    /// Draws the token after those that were `made`, hands it on, and says whether the text ends with it.
    pub fn draw(
        &self,
        logits: &[f64],
        made: &[u32],
        each: &mut dyn FnMut(Drawn<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<(u32, Option<Stop>)> {
        let token = self.sampling.pick(logits, made)?;
        let is_end = self.end == Some(token);
        let flow = each(Drawn { token, logits, is_end })?;
        let stop = match flow {
            _ if is_end => Some(Stop::EndOfDocument),
            ControlFlow::Break(()) => Some(Stop::Enough),
            ControlFlow::Continue(()) => (made.len() as u64 + 1 >= self.tokens).then_some(Stop::Length),
        };
        Ok((token, stop))
    }
}

fn check(request: &Request<&[u32]>, context: u64) -> Result<()> {
    let length = request.prompt.len() as u64;
    if length == 0 {
        return Err(Failure::mistake("there is nothing to continue; give a prompt"));
    }
    if length > context {
        let what = format!("the prompt has {length} tokens, but the model's context is {context}");
        return Err(Failure::mistake(format!("{what}; make it shorter")));
    }
    request.sampling.check()
}

struct Row<'a> {
    request: &'a Request<&'a [u32]>,
    /// The tokens that the next ones depend on.
    window: Vec<u32>,
    made: Vec<u32>,
    stop: Option<Stop>,
}

impl<'a> Row<'a> {
    fn new(request: &'a Request<&'a [u32]>) -> Row<'a> {
        let stop = (request.tokens == 0).then_some(Stop::Length);
        Row { request, window: request.prompt.to_vec(), made: Vec::new(), stop }
    }

    /// The token that follows. A text that has ended goes on with any, for the others' sake.
    fn draw(&mut self, logits: &[f64], each: &mut dyn FnMut(Drawn<'_>) -> Result<ControlFlow<()>>) -> Result<u32> {
        if self.stop.is_some() {
            return Ok(0);
        }
        let (token, stop) = self.request.draw(logits, &self.made, each)?;
        self.made.push(token);
        self.stop = stop;
        Ok(token)
    }
}
