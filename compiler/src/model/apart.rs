//! Whether values along an axis that a call has, its sequences or the positions in them, are computed each by itself.

use super::{Application, Primitive, Program};
use crate::graph::AttentionMask;
use crate::size::{Size, Symbol};

/// The axis that is as long as the symbol, if there is one; an error where its places are counted otherwise: twice, in a sum or in a product.
pub(super) fn axis_of(shape: &[Size], symbol: Symbol) -> Result<Option<usize>, ()> {
    let mut axes = shape.iter().enumerate().filter(|(_, size)| size.symbols().contains(&symbol));
    match (axes.next(), axes.next()) {
        (None, _) => Ok(None),
        (Some((axis, size)), None) if *size == Size::symbol(symbol) => Ok(Some(axis)),
        (Some(_), _) => Err(()),
    }
}

impl Program {
    /// Whether a result at a place along the axis needs its operands there alone, attention to earlier positions aside.
    pub(super) fn is_apart(&self, application: &Application, symbol: Symbol) -> bool {
        let shape = |i: usize| self.operand_shape(application, i);
        let axes: Result<Vec<Option<usize>>, ()> =
            (0..application.operands.len()).map(|i| axis_of(shape(i), symbol)).collect();
        let (Ok(result), Ok(operands)) = (axis_of(&application.ty.shape, symbol), axes) else { return false };
        let is_last = |i: usize| operands[i] == Some(shape(i).len().wrapping_sub(1));
        let is_last_but_one = |i: usize| operands[i] == Some(shape(i).len().wrapping_sub(2));
        let is_free = operands.iter().all(Option::is_none);
        // Where attention and rotation have sequences, and positions: elsewhere they are among something else.
        let place = if symbol == Symbol::BATCH { 0 } else { 1 };
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
            Primitive::Next(_) => symbol != Symbol::SEQUENCE,
            Primitive::Size(size) => !size.symbols().contains(&symbol),
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
            Primitive::Attention { mask } => {
                let meets = symbol == Symbol::SEQUENCE && *mask == AttentionMask::Full;
                !meets && operands.iter().all(|axis| *axis == Some(place))
            }
            Primitive::Rope { .. } => operands[0] == Some(place),
            Primitive::Sum { axes } | Primitive::Mean { axes } => operands[0].is_none_or(|axis| !axes.contains(&axis)),
            Primitive::Concat { axis } => result != Some(*axis),
            Primitive::Slice { axis, .. } => operands[0] != Some(*axis),
            Primitive::Reshape => match (operands[0], result) {
                (Some(from), Some(to)) => {
                    Size::product(&shape(0)[..from]) == Size::product(&application.ty.shape[..to])
                }
                (from, to) => from == to,
            },
            // Of an image, which is one place of the first axis.
            Primitive::Patches { .. } => operands[0].is_none_or(|axis| axis == 0),
            Primitive::CrossEntropy | Primitive::Accuracy => is_free,
        }
    }

    pub(super) fn operand_shape(&self, application: &Application, operand: usize) -> &[Size] {
        &self.values[application.operands[operand].0 as usize].ty.shape
    }
}
