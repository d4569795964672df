//! Whether values can be computed position by position, as decoding does: only the new positions of a text are there, and of those before
//! only what attention has in its caches. Training and evaluation see all positions at once, so a model may do with them what it likes.

use super::forward::reachable;
use crate::graph::AttentionMask;
use crate::model::{Application, Primitive, Program, ValueId};
use crate::size::{Size, Symbol};
use tfc_grammar::span::Span;

/// The first of the values that `wanted` is computed from which needs positions that are not there while decoding: why, and where it is written.
pub(super) fn needs_other_positions(program: &Program, wanted: ValueId) -> Option<(&'static str, Span)> {
    let values = reachable(program, &[wanted], &|_| false).into_iter().map(|id| &program.values[id.0 as usize]);
    let needs = values.into_iter().find(|application| !is_by_position(program, application));
    needs.map(|application| (reason(application), application.span))
}

fn reason(application: &Application) -> &'static str {
    let primitive = &application.primitive;
    if *primitive == (Primitive::Attention { mask: AttentionMask::Full }) {
        "attention sees later positions, which are not there yet when a text is continued"
    } else if matches!(primitive, Primitive::Next(_)) {
        "`next` is the token that is yet to come"
    } else if matches!(primitive, Primitive::Size(_)) {
        "a number follows the length of the text, which is not all there when it is continued"
    } else {
        "positions meet outside of causal attention, and when a text is continued only the new ones are there"
    }
}

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

/// Whether a result at a position needs its operands there alone, attention to earlier positions aside.
fn is_by_position(program: &Program, application: &Application) -> bool {
    let shape = |i: usize| program.values[application.operands[i].0 as usize].ty.shape.as_slice();
    let axes: Result<Vec<Option<usize>>, ()> = (0..application.operands.len()).map(|i| positions(shape(i))).collect();
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
        Primitive::MatMul { transposed } => !is_last(0) && if *transposed { !is_last(1) } else { !is_last_but_one(1) },
        Primitive::Embed => operands[1].is_none(),
        // Queries, keys and values have their positions at the second axis, or attention is among something else.
        Primitive::Attention { mask } => *mask != AttentionMask::Full && operands.iter().all(|axis| *axis == Some(1)),
        Primitive::Rope { .. } => operands[0] == Some(1),
        Primitive::Sum { axes } | Primitive::Mean { axes } => operands[0].is_none_or(|axis| !axes.contains(&axis)),
        Primitive::Concat { axis } => result != Some(*axis),
        Primitive::Slice { axis, .. } => operands[0] != Some(*axis),
        Primitive::Reshape => match (operands[0], result) {
            (Some(from), Some(to)) => Size::product(&shape(0)[..from]) == Size::product(&application.ty.shape[..to]),
            (from, to) => from == to,
        },
        Primitive::Patches { .. } | Primitive::CrossEntropy | Primitive::Accuracy => is_free,
    }
}
