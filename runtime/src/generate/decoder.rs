//! Calls of the entry that decodes: the logits after some tokens.

use super::token_input;
use crate::device::{HostTensor, Named, Session};
use crate::{Failure, Kind, Result, call};
use tfc_compiler::compiled::Compiled;
use tfc_compiler::graph::Graph;
use tfc_compiler::model::Model;
use tfc_compiler::size::{SizeValues, Symbol};

pub(crate) struct Decoder<'a> {
    graph: &'a Graph,
    /// The input that takes token ids.
    ids: &'a str,
    /// The most tokens that it takes.
    pub context: u64,
    vocabulary: usize,
}

/// Ids below it can be given to the model; there may be logits of more.
pub(super) fn vocabulary(model: &Model, sizes: &SizeValues) -> usize {
    model.vocabulary(sizes).map_or(usize::MAX, |vocabulary| vocabulary.size as usize)
}

/// Logits, −∞ for what could not follow, because there would be no going on after it.
pub(super) fn could_follow(mut logits: Vec<f64>, vocabulary: usize) -> Vec<f64> {
    logits.iter_mut().skip(vocabulary).for_each(|logit| *logit = f64::NEG_INFINITY);
    logits
}

impl<'a> Decoder<'a> {
    /// # Errors
    /// The model was compiled without the entry, or takes no tokens.
    pub fn new(compiled: &'a Compiled, sizes: &SizeValues) -> Result<Decoder<'a>> {
        let graph = call::graph(compiled, "decode")?;
        let (ids, context) = token_input(&compiled.model)?;
        Ok(Decoder { graph, ids, context, vocabulary: vocabulary(&compiled.model, sizes) })
    }

    /// For each row the logits after its tokens, of what [`could_follow`]. All rows are of one length
    /// and stand from `position` on.
    pub fn logits(&self, session: &mut dyn Session, rows: &[&[u32]], position: u64) -> Result<Vec<Vec<f64>>> {
        let (batch, length) = (rows.len(), rows[0].len());
        let whole = |name: &str, shape: Vec<usize>, data: Vec<i32>| (name.to_string(), HostTensor::I32 { shape, data });
        let first = position as i32;
        let offered = [
            whole(self.ids, vec![batch, length], rows.concat().iter().map(|id| *id as i32).collect()),
            whole("position", Vec::new(), vec![first]),
            whole("positions", vec![length], (first..first + length as i32).collect()),
        ];
        let wanted = |(name, _): &Named| self.graph.inputs.iter().any(|input| input.name == *name);
        let inputs: Vec<Named> = offered.into_iter().filter(wanted).collect();
        let sizes = [(Symbol::BATCH, batch as i64), (Symbol::SEQUENCE, length as i64)];
        let mut logits: Vec<Vec<f64>> = Vec::new();
        session.run_and_look("decode", &sizes, &inputs, &mut |name, tensor| {
            if name == "logits" {
                logits = tensor.rows().map(|row| could_follow(row, self.vocabulary)).collect();
            }
        })?;
        match logits.len() == batch {
            true => Ok(logits),
            false => Err(Failure::new(Kind::Machine, "the device handed back no `logits`; this is a bug in tfc")),
        }
    }
}
