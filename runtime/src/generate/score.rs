//! How likely the tokens of given texts are: a forward pass over several of them side by side.

use super::decoder::{could_follow, vocabulary};
use super::{Likelihood, token_input};
use crate::device::{HostTensor, Named, Session, TensorView};
use crate::{Failure, Kind, Result, call};
use tfc_compiler::compiled::Compiled;
use tfc_compiler::lower::can_decode;
use tfc_compiler::model::Model;
use tfc_compiler::size::Symbol;

/// What a text is to the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Of every token but the first.
    pub tokens: Vec<Likelihood>,
    /// The logits of the token that follows; None of a text that is longer than the context.
    pub next: Option<Vec<f64>>,
}

/// The name of the logits that generation draws from: what [`score`] needs the entry `named` of.
pub fn named_logits(model: &Model) -> Option<&str> {
    model.program.name_of(can_decode(model).ok()?)
}

/// Scores texts of at most context + 1 tokens with the entry of the logits, and lists the `top` likeliest tokens at each place.
/// Shorter texts are filled up behind their end, which no position before sees.
///
/// # Errors
/// A text is empty or too long, or the model has no logits.
pub fn score(compiled: &Compiled, session: &mut dyn Session, texts: &[&[u32]], top: usize) -> Result<Vec<Scored>> {
    let graph = call::graph(compiled, "named")?;
    let (ids, context) = token_input(&compiled.model)?;
    let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
    if texts.iter().any(|text| text.is_empty()) {
        return Err(Failure::mistake("there is nothing to score; give a text"));
    }
    if longest as u64 > context + 1 {
        let what = format!("the text has {longest} tokens, but the model's context is {context}");
        return Err(Failure::mistake(format!("{what}; make it shorter")));
    }
    let (rows, length) = (texts.len(), longest.min(context as usize));
    let sizes = session.sizes().clone().with(Symbol::BATCH, rows as i64).with(Symbol::SEQUENCE, length as i64);
    session.resize(&sizes)?;

    let filled =
        |text: &&[u32]| -> Vec<i32> { (0..length).map(|place| text.get(place).map_or(0, |id| *id as i32)).collect() };
    let positions = (0..rows).flat_map(|_| 0..length as i32).collect();
    let whole = |name: &str, data: Vec<i32>| (name.to_string(), HostTensor::I32 { shape: vec![rows, length], data });
    let offered = vec![whole(ids, texts.iter().flat_map(filled).collect()), whole("positions", positions)];
    let inputs: Vec<Named> = call::inputs(graph, session, rows as u64, offered)?;
    let binding = named_logits(&compiled.model);
    let vocabulary = vocabulary(&compiled.model, session.sizes());
    let mut answer = None;
    session.run_and_look("named", &[], &inputs, &mut |name, logits| {
        if Some(name) == binding {
            let scored = |(row, text): (usize, &&[u32])| scored(text, &Logits { logits, row, length }, top, vocabulary);
            answer = Some(texts.iter().enumerate().map(scored).collect());
        }
    })?;
    answer.ok_or_else(|| Failure::new(Kind::Machine, "the device handed back no logits; this is a bug in tfc"))
}

/// The logits `[rows, length, vocabulary]`, in one row.
struct Logits<'a> {
    logits: TensorView<'a>,
    row: usize,
    length: usize,
}

impl Logits<'_> {
    /// After so many tokens less one.
    fn at(&self, place: usize) -> Vec<f64> {
        let vocabulary = self.logits.shape.last().copied().unwrap_or(0);
        let start = (self.row * self.length + place) * vocabulary;
        self.logits.numbers.to_f64(start..start + vocabulary)
    }
}

fn scored(text: &[u32], logits: &Logits<'_>, top: usize, vocabulary: usize) -> Scored {
    let at = |place| could_follow(logits.at(place), vocabulary);
    let tokens = text.iter().skip(1).enumerate();
    let tokens = tokens.map(|(place, token)| Likelihood::of(*token, &at(place), top)).collect();
    let next = (text.len() <= logits.length).then(|| at(text.len() - 1));
    Scored { tokens, next }
}
