//! Choices of the largest of a row, `top_k`: whether there are as many.

use super::{Model, Primitive};
use crate::size::SizeValues;
use tfc_grammar::span::Span;

/// A choice that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impossible {
    /// How many are to be chosen.
    pub k: i64,
    /// Of so many.
    pub row: i64,
    pub span: Span,
}

impl Model {
    /// The choices that are not of at least one and at most all of a row, at these sizes.
    pub fn impossible_choices(&self, sizes: &SizeValues) -> Vec<Impossible> {
        let choices = self.program.values.iter().filter_map(|value| match (&value.primitive, value.ty.shape.last()) {
            (Primitive::TopK { k }, Some(row)) => {
                Some(Impossible { k: k.eval(sizes), row: row.eval(sizes), span: value.span })
            }
            _ => None,
        });
        choices.filter(|choice| !(1..=choice.row).contains(&choice.k)).collect()
    }
}
