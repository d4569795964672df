//! How many ids a model knows.

use super::{InputKind, Model, Primitive, ValueId};
use crate::size::{Size, SizeValues, Symbol};
use tfc_grammar::Span;

/// What limits the ids of tokens that a model can be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// Ids are below it.
    pub size: i64,
    /// `the embedding has`
    pub owner: &'static str,
    /// `rows`
    pub unit: &'static str,
    pub span: Span,
}

impl Model {
    /// The smallest of the tables in which ids of tokens are looked up and the logits that they are labels of; None if there is none.
    pub fn vocabulary(&self, sizes: &SizeValues) -> Option<Vocabulary> {
        let limits = self.program.values.iter().filter_map(|value| {
            let (ids, axis, owner, unit) = if value.primitive == Primitive::Embed {
                (value.operands[0], self.shape(value.operands[1]).first()?, "the embedding has", "rows")
            } else if matches!(value.primitive, Primitive::CrossEntropy | Primitive::Accuracy) {
                (value.operands[1], self.shape(value.operands[0]).last()?, "the logits have", "columns")
            } else {
                return None;
            };
            // What is as long as a call's sequences is limited by those.
            let is_fixed = axis.all_symbols(|symbol| ![Symbol::BATCH, Symbol::SEQUENCE].contains(&symbol));
            let limit = Vocabulary { size: axis.eval(sizes), owner, unit, span: value.span };
            (is_fixed && self.are_ids(ids)).then_some(limit)
        });
        limits.min_by_key(|limit| limit.size)
    }

    fn shape(&self, value: ValueId) -> &[Size] {
        &self.program.values[value.0 as usize].ty.shape
    }

    /// Whether these are the ids of an input as they come, or one place later.
    fn are_ids(&self, value: ValueId) -> bool {
        let (Primitive::Input(input) | Primitive::Next(input)) = self.program.values[value.0 as usize].primitive else {
            return false;
        };
        matches!(self.inputs[input].kind, InputKind::TokenIds { .. })
    }
}
