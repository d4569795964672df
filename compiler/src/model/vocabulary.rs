//! How many ids a model knows.

use super::{Application, Model, Primitive};
use crate::size::SizeValues;
use tfc_grammar::Span;

impl Model {
    /// The rows of the smallest table in which an input's ids are looked up, and its place; None if there is none.
    pub fn vocabulary(&self, sizes: &SizeValues) -> Option<(i64, Span)> {
        let values = &self.program.values;
        let embeds = values.iter().filter(|value| value.primitive == Primitive::Embed);
        let from_input = embeds.filter(|value| {
            let ids = &values[value.operands[0].0 as usize].primitive;
            matches!(ids, Primitive::Input(_) | Primitive::Next(_))
        });
        let table = |value: &Application| {
            let table = &values[value.operands[1].0 as usize];
            (table.ty.shape[0].eval(sizes), value.span)
        };
        from_input.map(table).min_by_key(|(rows, _)| *rows)
    }
}
