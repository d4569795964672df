//! How many ids a model knows.

use super::program::source_of_ids;
use super::{InputKind, Model, Primitive, ValueId};
use crate::size::{Size, SizeValues};
use tfc_grammar::Span;

/// What limits the ids of an input: kernels look them up unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// Ids are below it.
    pub size: i64,
    /// `the embedding has`
    pub owner: &'static str,
    /// `row`
    pub unit: &'static str,
    pub span: Span,
}

impl Vocabulary {
    /// `4 rows`
    pub fn places(&self) -> String {
        format!("{} {}{}", self.size, self.unit, if self.size == 1 { "" } else { "s" })
    }
}

impl Model {
    /// The smallest of the tables in which ids of tokens are looked up and the logits that they are labels of; None if there is none.
    pub fn vocabulary(&self, sizes: &SizeValues) -> Option<Vocabulary> {
        let is_token = |input: usize| matches!(self.inputs[input].kind, InputKind::TokenIds { .. });
        let limits = self.id_limits(sizes).into_iter().filter(|(input, _)| is_token(*input));
        limits.map(|(_, limit)| limit).min_by_key(|limit| limit.size)
    }

    /// Each table in which ids of an input are looked up, and the logits that they are labels of, with the index of the input.
    pub fn id_limits(&self, sizes: &SizeValues) -> Vec<(usize, Vocabulary)> {
        let limits = self.program.values.iter().filter_map(|value| {
            let (ids, axis, owner, unit) = if value.primitive == Primitive::Embed {
                (value.operands[0], self.shape(value.operands[1]).first()?, "the embedding has", "row")
            } else if matches!(value.primitive, Primitive::CrossEntropy | Primitive::Accuracy) {
                (value.operands[1], self.shape(value.operands[0]).last()?, "the logits have", "column")
            } else {
                return None;
            };
            let limit = Vocabulary { size: axis.eval(sizes), owner, unit, span: value.span };
            Some((source_of_ids(&self.program.values, ids), limit))
        });
        limits.collect()
    }

    fn shape(&self, value: ValueId) -> &[Size] {
        &self.program.values[value.0 as usize].ty.shape
    }
}
