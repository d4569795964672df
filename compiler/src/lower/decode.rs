//! Decoding: the forward pass on key/value caches, from the input `position` on, to the logits of the last position.

use super::forward::{Forward, origin};
use super::{Mode, primitive};
use crate::compiled::Entry;
use crate::graph::{AttentionMask, Builder, Graph, Op, Type, Value};
use crate::model::{Application, InputKind, Model, Prediction, Primitive, Program, ValueId};
use crate::size::{Size, Symbol};
use crate::storage::Storage;
use std::collections::BTreeMap;
use tfc_grammar::span::Span;

/// The logits that predict `next(ids)`, or why the model generates nothing and where that is written. What decoding computes is what the
/// forward pass on the whole text does at its last position.
pub fn can_decode(model: &Model) -> Result<ValueId, (String, Option<Span>)> {
    let tokens = model.inputs.iter().find(|input| matches!(input.kind, InputKind::TokenIds { .. }));
    if tokens.is_none() {
        return Err(("the model takes no token ids".into(), model.inputs.first().map(|input| input.span)));
    }
    let is_next = |labels: ValueId| matches!(model.program.values[labels.0 as usize].primitive, Primitive::Next(_));
    let mut predictions = model.program.predictions().into_iter();
    let Some(Prediction { logits, .. }) = predictions.find(|prediction| is_next(prediction.labels)) else {
        return Err(("the loss does not predict `next` of the token ids".into(), None));
    };
    match needs_other_positions(&model.program, logits) {
        Some((why, span)) => Err((why.into(), Some(span))),
        None => Ok(logits),
    }
}

/// The first of the values that `wanted` is computed from which needs positions that are not there while decoding: why, and where it is written.
fn needs_other_positions(program: &Program, wanted: ValueId) -> Option<(&'static str, Span)> {
    let values = program.reachable(&[wanted], &|_| false).into_iter().map(|id| &program.values[id.0 as usize]);
    let needs = values.into_iter().find(|application| !program.is_by_position(application));
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

pub(super) fn decode(model: &Model) -> (Graph, Vec<Type>) {
    let logits = can_decode(model).unwrap_or_else(|(why, _)| panic!("bug in tfc: cannot decode: {why}"));
    let mut builder = Builder::new(Entry::Decode.name(), model.symbols.clone());
    let position = builder.input("position", Type::i32(Vec::new()));
    let mode = Mode::Decode { position, caches: Vec::new() };
    let mut forward = Forward::new(model, builder, mode, &[logits]);
    let last = at_last_position(&mut forward, logits); // [batch, 1, classes]
    let shape = &forward.builder.ty(last).shape;
    let flat = [shape[0].clone(), shape[2].clone()];
    let last = forward.builder.reshape(last, &flat);
    forward.builder.output("logits", last);
    match forward.mode {
        Mode::Decode { caches, .. } => (forward.builder.finish(), caches),
        Mode::Train | Mode::Evaluate => unreachable!("the mode was set above"),
    }
}

/// A value `[batch, positions, …]` at the last position alone. What no attention needs at the other positions is computed for that one only: the
/// vocabulary's matrix product above all. What is computed for all of them anyway is sliced, not computed again.
fn at_last_position(forward: &mut Forward, id: ValueId) -> Value {
    let program = &forward.model.program;
    let has_positions =
        |v: ValueId| program.values[v.0 as usize].ty.shape.get(1) == Some(&Size::symbol(Symbol::SEQUENCE));
    let follows =
        |v: &ValueId| program.values[v.0 as usize].ty.shape.iter().any(|s| s.symbols().contains(&Symbol::SEQUENCE));
    // A table of positions `[positions, width]` that is added to all sequences has them at another axis: such a sum is taken whole.
    let is_position_wise = |application: &Application| {
        let mut operands = application.operands.iter();
        primitive::is_position_wise(&application.primitive) && operands.all(|o| has_positions(*o) || !follows(o))
    };
    let (mut wanted, mut whole) = (vec![false; id.0 as usize + 1], vec![false; id.0 as usize + 1]);
    wanted[id.0 as usize] = true;
    // Whatever uses a value stands behind it, so what is asked of a value is known when it is its turn.
    for index in (0..wanted.len()).rev() {
        let application = &program.values[index];
        whole[index] = whole[index] || wanted[index] && !is_position_wise(application);
        for operand in &application.operands {
            let at = operand.0 as usize;
            whole[at] = whole[at] || whole[index];
            wanted[at] = wanted[at] || wanted[index] && !whole[index] && has_positions(*operand);
        }
    }
    let mut last: BTreeMap<ValueId, Value> = BTreeMap::new();
    for index in (0..wanted.len()).filter(|i| wanted[*i]) {
        let application = &program.values[index];
        let value = if !whole[index] {
            let mut operands = Vec::new();
            for operand in &application.operands {
                operands.push(match last.get(operand) {
                    Some(value) => *value,
                    None => forward.value(*operand),
                });
            }
            forward.builder.origin = origin(application);
            primitive::lower(forward, application, &operands)
        } else {
            let all = forward.value(ValueId(index as u32));
            let start = Size::symbol(Symbol::SEQUENCE) - Size::constant(1);
            forward.builder.add(Op::Slice { axis: 1, start, length: Size::constant(1) }, &[all])
        };
        last.insert(ValueId(index as u32), value);
    }
    last[&id]
}

/// Writes the new keys and values into a pair of caches of their own and attends to all that is there.
pub(super) fn cached_attention(forward: &mut Forward, mask: AttentionMask, scale: f64, operands: &[Value]) -> Value {
    let [q, k, v] = [operands[0], operands[1], operands[2]];
    let position = forward.position();
    let keys = write_cache(forward, k, position);
    let values = write_cache(forward, v, position);
    forward.builder.add(Op::CachedAttention { mask, scale }, &[q, keys, values, position])
}

fn write_cache(forward: &mut Forward, new: Value, position: Value) -> Value {
    let mut shape = forward.builder.ty(new).shape.clone();
    shape[1] = Size::symbol(Symbol::CAPACITY);
    let ty = Type::f32(shape); // [batch, capacity, kv_heads, channels]
    let Mode::Decode { caches, .. } = &mut forward.mode else { panic!("bug in tfc: a cache outside of decoding") };
    caches.push(ty.clone());
    let storage = Storage::Cache(caches.len() as u32 - 1);
    let before = forward.builder.load(storage, ty);
    let after = forward.builder.add(Op::CacheWrite, &[before, new, position]);
    forward.builder.store("", after, storage, false);
    after
}

/// The rows of a table of positions for the present ones.
pub(super) fn positions(forward: &mut Forward, table: Value) -> Value {
    let positions = forward.positions();
    forward.builder.add(Op::Embed, &[positions, table])
}
