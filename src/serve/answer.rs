//! From a request to the pieces of its answer.

use super::choice::Choice;
use super::protocol::{Asked, Piece, Prompt, Usage};
use crate::checkpoint::Opened;
use std::ops::ControlFlow;
use tfc_runtime::data::Tokenizer;
use tfc_runtime::generate::{
    Drawn, Request, Sampling, Scored, Stop, Taker, end_of_document, generate_side_by_side, score,
};
use tfc_runtime::{Failure, Result};

/// Prompts that go through the model at once, at most.
const ROWS: usize = 8;
/// Logits that are kept at once, at most: 256 MiB.
const LOGITS: usize = 1 << 26;
/// Where a request says nothing of it.
const TOKENS: u64 = 16;

/// Hands a piece on; false where nobody wants it any more.
pub type Send<'a> = dyn FnMut(Piece) -> bool + 'a;

pub struct Answerer {
    opened: Opened,
    tokenizer: Tokenizer,
    /// The token that ends a document.
    end: Option<u32>,
    vocabulary: usize,
    context: usize,
}

impl Answerer {
    /// A checkpoint that was opened with the entry that decodes and that of the logits.
    pub fn new(opened: Opened) -> Result<Answerer> {
        let tokenizer = opened.tokenizer()?;
        let model = &opened.compiled.model;
        let end = match &model.experiment.stages[opened.state.stage.index].data {
            Some(data) => end_of_document(data, &tokenizer)?,
            None => None,
        };
        let vocabulary = model.vocabulary(opened.session.sizes()).map_or(0, |vocabulary| vocabulary.size as usize);
        let context = model.context.map_or(0, |context| context as usize);
        Ok(Answerer { opened, tokenizer, end, vocabulary, context })
    }

    /// Answers a request, piece by piece. One that nobody waits for any more is given up.
    pub fn answer(&mut self, asked: &Asked, send: &mut Send<'_>) -> Result<Usage> {
        sampling(asked, 0).check()?;
        let prompts = self.prompts(&asked.prompt)?;
        let longest = prompts.iter().map(Vec::len).max().unwrap_or(1);
        if asked.max_tokens != Some(0) && longest > self.context {
            let what = format!("a prompt has {longest} tokens, but the model's context is {}", self.context);
            return Err(Failure::mistake(format!("{what}; make it shorter")));
        }
        let rows = (LOGITS / (longest * self.vocabulary).max(1)).clamp(1, ROWS);
        // Choices of one prompt stand beside each other.
        let (each, mut completion_tokens, mut listens) = (asked.choices(), 0, true);
        let all = prompts.len().saturating_mul(each);
        for first in (0..all).step_by(rows) {
            let group: Vec<&[u32]> = (first..all).take(rows).map(|choice| &prompts[choice / each][..]).collect();
            let mut send = |piece| {
                listens &= send(piece);
                listens
            };
            completion_tokens += self.complete(asked, first, &group, &mut send)?;
            if !listens {
                break;
            }
        }
        let prompt_tokens = prompts.iter().map(|prompt| prompt.len() as u64).sum();
        Ok(Usage { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens })
    }

    /// The tokens of each prompt. Without any, a new document is begun.
    fn prompts(&self, prompt: &Prompt) -> Result<Vec<Vec<u32>>> {
        let mut prompts = match prompt {
            Prompt::Text(text) => vec![self.tokenizer.encode(text)?],
            Prompt::Texts(texts) => self.tokenizer.encode_all(texts)?,
            Prompt::Tokens(tokens) => vec![tokens.clone()],
            Prompt::Batch(batch) => batch.clone(),
        };
        for prompt in &mut prompts {
            if prompt.is_empty() {
                prompt.extend(self.end);
            }
            if let Some(stranger) = prompt.iter().find(|id| **id as usize >= self.vocabulary) {
                let last = self.vocabulary.saturating_sub(1);
                return Err(Failure::mistake(format!("the prompt holds the token {stranger}; tokens are 0 to {last}")));
            }
        }
        Ok(prompts)
    }

    /// Completes prompts side by side, `first` being the index of their first choice; says how many tokens were made.
    fn complete(&mut self, asked: &Asked, first: usize, prompts: &[&[u32]], send: &mut Send<'_>) -> Result<u64> {
        let Answerer { opened: Opened { compiled, session, .. }, tokenizer, end, .. } = self;
        let session = session.as_mut();
        let is_echo = asked.echo == Some(true);
        let choice = |(i, prompt): (usize, &&[u32])| {
            let before = if is_echo { &[] } else { *prompt };
            Choice::new(first + i, asked, tokenizer, *end, before)
        };
        let mut choices = prompts.iter().enumerate().map(choice).collect::<Result<Vec<Choice>>>()?;
        let mut scored = Vec::new();
        if is_echo {
            if let Some(listed) = asked.logprobs {
                scored = score(compiled, session, prompts, listed)?;
            }
            for (i, (choice, prompt)) in choices.iter_mut().zip(prompts).enumerate() {
                if !send(choice.echo(prompt, scored.get(i))?) {
                    return Ok(0);
                }
            }
        }
        let tokens = asked.max_tokens.unwrap_or(TOKENS);
        let request = |(i, prompt)| Request { prompt, tokens, sampling: sampling(asked, first + i), end: *end };
        let requests: Vec<Request<&[u32]>> = prompts.iter().copied().enumerate().map(request).collect();
        let mut made = 0;
        let mut take = |i: usize, drawn: Drawn<'_>| {
            made += 1;
            let (piece, ends) = choices[i].take(drawn)?;
            Ok(if send(piece) && !ends { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        };
        let stops = match (tokens, &scored[..]) {
            (0, _) => vec![Stop::Length; prompts.len()],
            // The logits of one token more than was scored are there.
            (1, [_, ..]) => one_more(&requests, &scored, &mut take)?,
            _ => generate_side_by_side(compiled, session, &requests, &mut take)?,
        };
        for (choice, stop) in choices.into_iter().zip(stops) {
            send(choice.finish(stop));
        }
        Ok(made)
    }
}

/// How the choice of this index is drawn.
fn sampling(asked: &Asked, index: usize) -> Sampling {
    Sampling {
        temperature: asked.temperature.unwrap_or(1.0),
        top_k: asked.top_k,
        top_p: asked.top_p,
        frequency_penalty: asked.frequency_penalty.unwrap_or(0.0),
        presence_penalty: asked.presence_penalty.unwrap_or(0.0),
        seed: (asked.seed.unwrap_or(0) as u64).wrapping_add(index as u64),
    }
}

/// What [`generate_side_by_side`] does for one token, without computing anything.
fn one_more(requests: &[Request<&[u32]>], scored: &[Scored], take: &mut Taker<'_>) -> Result<Vec<Stop>> {
    let mut stops = Vec::new();
    for (i, (request, scored)) in requests.iter().zip(scored).enumerate() {
        let logits = scored.next.as_deref().unwrap_or_default();
        let (_, stop) = request.draw(logits, &[], &mut |drawn| take(i, drawn))?;
        stops.push(stop.unwrap_or(Stop::Length));
    }
    Ok(stops)
}
