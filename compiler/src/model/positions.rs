//! Whether values are computed position by position. Training and evaluation see all positions of a sequence at once, so a model may do with them what it likes; while decoding
//! only the new ones are there, and of those before only what attention has in its caches, and documents that are kept apart meet wherever positions do.

use super::apart::axis_of;
use super::{Application, Primitive, Program};
use crate::size::{Size, Symbol};
use tfc_grammar::span::Span;

impl Program {
    /// Whether a result at a position needs its operands there alone, attention to earlier positions aside.
    pub(crate) fn is_by_position(&self, application: &Application) -> bool {
        self.is_apart(application, Symbol::SEQUENCE)
    }

    /// Where positions meet outside of attention and what is computed of that has positions again, so that what one of them is depends on the others. A mean loss has none.
    pub(crate) fn positions_meet(&self) -> Option<Span> {
        let follows = |shape: &[Size]| shape.iter().any(|size| size.symbols().contains(&Symbol::SEQUENCE));
        let mut met: Vec<Option<Span>> = Vec::new();
        for application in &self.values {
            let before = application.operands.iter().find_map(|id| met[id.0 as usize]);
            if before.is_some() && follows(&application.ty.shape) {
                return before;
            }
            let meets = self.gathers_positions(application).then_some(application.span);
            if meets.is_some() && follows(&application.ty.shape) {
                return meets;
            }
            met.push(before.or(meets));
        }
        None
    }

    /// Whether numbers of several positions go into one. A slice of positions shifts them, as `next` does, unless none are left.
    fn gathers_positions(&self, application: &Application) -> bool {
        let count = application.operands.len();
        let known = (0..count).all(|i| axis_of(self.operand_shape(application, i), Symbol::SEQUENCE).is_ok());
        let gathers = match &application.primitive {
            Primitive::Sum { .. }
            | Primitive::Mean { .. }
            | Primitive::MatMul { .. }
            | Primitive::L2Normalize { .. }
            | Primitive::LayerNorm { .. }
            | Primitive::RmsNorm { .. }
            | Primitive::Softmax
            | Primitive::TopK { .. } => true,
            Primitive::Slice { .. } => axis_of(&application.ty.shape, Symbol::SEQUENCE) == Ok(None),
            _ => false,
        };
        known && gathers && !self.is_by_position(application)
    }
}
