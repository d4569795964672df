//! Whether values are computed position by position. Training and evaluation see all positions of a sequence at once, so a model may do with them what it likes; while decoding
//! only the new ones are there, and of those before only what attention has in its caches, and documents that are kept apart meet wherever positions do.

use super::{Application, Primitive, Program};
use crate::graph::AttentionMask;
use crate::size::{Size, Symbol};
use tfc_grammar::span::Span;

/// The axis of positions, if there is one; an error where positions are counted otherwise: twice, in a sum or in a product.
fn positions(shape: &[Size]) -> Result<Option<usize>, ()> {
    let sequence = Size::symbol(Symbol::SEQUENCE);
    let mut axes = shape.iter().enumerate().filter(|(_, size)| size.symbols().contains(&Symbol::SEQUENCE));
    match (axes.next(), axes.next()) {
        (None, _) => Ok(None),
        (Some((axis, size)), None) if *size == sequence => Ok(Some(axis)),
        (Some(_), _) => Err(()),
    }
}

impl Program {
    /// Whether a result at a position needs its operands there alone, attention to earlier positions aside.
    pub(crate) fn is_by_position(&self, application: &Application) -> bool {
        let shape = |i: usize| self.operand_shape(application, i);
        let axes: Result<Vec<Option<usize>>, ()> =
            (0..application.operands.len()).map(|i| positions(shape(i))).collect();
        let (Ok(result), Ok(operands)) = (positions(&application.ty.shape), axes) else { return false };
        let is_last = |i: usize| operands[i] == Some(shape(i).len().wrapping_sub(1));
        let is_last_but_one = |i: usize| operands[i] == Some(shape(i).len().wrapping_sub(2));
        let is_free = operands.iter().all(Option::is_none);
        match &application.primitive {
            Primitive::Input(_)
            | Primitive::Parameter(_)
            | Primitive::Number(_)
            | Primitive::Scale(_)
            | Primitive::Positions
            | Primitive::First { .. }
            | Primitive::Unary(_)
            | Primitive::Binary(_)
            | Primitive::Transpose { .. }
            | Primitive::Expand
            | Primitive::Dropout { .. }
            | Primitive::DropPath { .. } => true,
            Primitive::Next(_) => false,
            Primitive::Size(size) => !size.symbols().contains(&Symbol::SEQUENCE),
            Primitive::L2Normalize { .. }
            | Primitive::LayerNorm { .. }
            | Primitive::RmsNorm { .. }
            | Primitive::Softmax
            | Primitive::TopK { .. }
            | Primitive::SplitHeads { .. } => !is_last(0),
            Primitive::MergeHeads => !is_last(0) && !is_last_but_one(0),
            Primitive::MatMul { transposed } => {
                !is_last(0) && if *transposed { !is_last(1) } else { !is_last_but_one(1) }
            }
            Primitive::Embed => operands[1].is_none(),
            // Queries, keys and values have their positions at the second axis, or attention is among something else.
            Primitive::Attention { mask } => {
                *mask != AttentionMask::Full && operands.iter().all(|axis| *axis == Some(1))
            }
            Primitive::Rope { .. } => operands[0] == Some(1),
            Primitive::Sum { axes } | Primitive::Mean { axes } => operands[0].is_none_or(|axis| !axes.contains(&axis)),
            Primitive::Concat { axis } => result != Some(*axis),
            Primitive::Slice { axis, .. } => operands[0] != Some(*axis),
            Primitive::Reshape => match (operands[0], result) {
                (Some(from), Some(to)) => {
                    Size::product(&shape(0)[..from]) == Size::product(&application.ty.shape[..to])
                }
                (from, to) => from == to,
            },
            Primitive::Patches { .. } | Primitive::CrossEntropy | Primitive::Accuracy => is_free,
        }
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
        let known = (0..count).all(|i| positions(self.operand_shape(application, i)).is_ok());
        let gathers = match &application.primitive {
            Primitive::Sum { .. }
            | Primitive::Mean { .. }
            | Primitive::MatMul { .. }
            | Primitive::L2Normalize { .. }
            | Primitive::LayerNorm { .. }
            | Primitive::RmsNorm { .. }
            | Primitive::Softmax
            | Primitive::TopK { .. } => true,
            Primitive::Slice { .. } => positions(&application.ty.shape) == Ok(None),
            _ => false,
        };
        known && gathers && !self.is_by_position(application)
    }

    fn operand_shape(&self, application: &Application, operand: usize) -> &[Size] {
        &self.values[application.operands[operand].0 as usize].ty.shape
    }
}
