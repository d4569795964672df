//! The JSON of requests and answers, as far as it is understood.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tfc_runtime::{Failure, Result, json};

/// `POST /v1/completions`. Fields that are not named here, such as `user`, change nothing.
#[derive(Clone, Debug, Deserialize)]
pub struct Asked {
    pub prompt: Prompt,
    pub max_tokens: Option<u64>,
    pub temperature: Option<f64>,
    /// Not of OpenAI's, but others know it too.
    pub top_k: Option<u64>,
    pub seed: Option<i64>,
    /// How many of the likeliest tokens are listed at each place.
    pub logprobs: Option<usize>,
    pub echo: Option<bool>,
    pub stream: Option<bool>,
    pub stop: Option<Stops>,
    pub top_p: Option<f64>,
    pub presence_penalty: Option<f64>,
    pub frequency_penalty: Option<f64>,
    n: Option<usize>,
    best_of: Option<usize>,
    suffix: Option<String>,
    logit_bias: Option<BTreeMap<String, f64>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "`prompt` must be a text, some texts, tokens, or lists of tokens")]
pub enum Prompt {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u32>),
    Batch(Vec<Vec<u32>>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "`stop` must be a text or some texts")]
pub enum Stops {
    One(String),
    Several(Vec<String>),
}

/// The most alternatives that are listed, as OpenAI has it for its own models times four.
const LISTED: usize = 20;

/// The most choices for one prompt, as OpenAI has it.
const CHOICES: usize = 128;

impl Asked {
    /// # Errors
    /// No request, or one for what this server does not do.
    pub fn parse(body: &[u8]) -> Result<Asked> {
        let asked: Asked = json::object(body)
            .map_err(|error| Failure::mistake(format!("the request is not one for a completion: {error}")))?;
        // No texts, or no tokens: they look alike.
        if matches!(&asked.prompt, Prompt::Texts(texts) if texts.is_empty()) {
            return Err(Failure::mistake("there is nothing to continue; give a prompt"));
        }
        if !(1..=CHOICES).contains(&asked.choices()) {
            return Err(Failure::mistake(format!("`n` is {}, but must be 1 to {CHOICES}", asked.choices())));
        }
        let undone = [
            ("best_of", asked.best_of.is_some_and(|best_of| best_of != asked.choices())),
            ("suffix", asked.suffix.is_some()),
            ("logit_bias", asked.logit_bias.as_ref().is_some_and(|bias| !bias.is_empty())),
        ];
        if let Some((name, _)) = undone.iter().find(|(_, is_asked)| *is_asked) {
            return Err(Failure::mistake(format!("`{name}` is not supported; leave it out")));
        }
        if asked.logprobs.is_some_and(|listed| listed > LISTED) {
            return Err(Failure::mistake(format!("`logprobs` lists at most {LISTED} tokens")));
        }
        Ok(asked)
    }

    /// How many continuations of each prompt.
    pub fn choices(&self) -> usize {
        self.n.unwrap_or(1)
    }

    pub fn stops(&self) -> Vec<String> {
        let stops = match &self.stop {
            None => Vec::new(),
            Some(Stops::One(stop)) => vec![stop.clone()],
            Some(Stops::Several(stops)) => stops.clone(),
        };
        stops.into_iter().filter(|stop| !stop.is_empty()).collect()
    }
}

/// A part of one choice; several of one index, in order, are the choice.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Piece {
    pub index: usize,
    pub text: String,
    pub logprobs: Option<Logprobs>,
    pub finish_reason: Option<&'static str>,
}

/// One entry for each token.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Logprobs {
    pub tokens: Vec<String>,
    /// None for the first token of a prompt.
    pub token_logprobs: Vec<Option<f64>>,
    pub top_logprobs: Vec<Option<BTreeMap<String, f64>>>,
    /// In characters from the start of the choice's text.
    pub text_offset: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub total_tokens: u64,
}

impl Piece {
    pub fn extend(&mut self, next: Piece) {
        self.text += &next.text;
        self.finish_reason = self.finish_reason.or(next.finish_reason);
        match (&mut self.logprobs, next.logprobs) {
            (Some(mine), Some(next)) => {
                mine.tokens.extend(next.tokens);
                mine.token_logprobs.extend(next.token_logprobs);
                mine.top_logprobs.extend(next.top_logprobs);
                mine.text_offset.extend(next.text_offset);
            }
            (None, next) => self.logprobs = next,
            (Some(_), None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Asked;

    #[test]
    fn a_request_is_an_object() {
        let said =
            |body: &str| Asked::parse(body.as_bytes()).map(|asked| asked.max_tokens).map_err(|failure| failure.message);
        assert_eq!(said(" {\"prompt\": \"a\", \"max_tokens\": 3, \"user\": 7}"), Ok(Some(3)));
        for body in ["[[\"abc\"]]", "\"x\"", "", "7"] {
            let message = "the request is not one for a completion: it is no JSON object";
            assert_eq!(said(body), Err(message.to_string()), "{body}");
        }
    }
}
