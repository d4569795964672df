//! Weights as products and lookups read them where nothing trains: rounded to the precision of products once and for all, and with what products add up along
//! their rows, so that few rows of another matrix meet each of them in the order of memory.
//!
//! Not in the pipeline: it depends on the precision, and training works on the parameters themselves.

use super::rebuild::rebuild;
use crate::graph::{Graph, NodeId, Op, Type, Value};
use crate::precision::Precision;
use crate::storage::{Storage, WeightForm};
use std::collections::BTreeMap;

/// The graph of an entry that only reads parameters, in a precision.
pub fn weights(graph: &Graph, precision: Precision) -> Graph {
    let forms = forms(graph, precision);
    let weight = |value: Value| match graph.op(value) {
        Op::Load(Storage::Parameter(i)) => forms.get(i).map(|form| (*i, *form)),
        _ => None,
    };
    rebuild(graph, graph.ids(), |b, id, operands| match graph.node(id).op {
        Op::Load(_) => {
            let result = Value { node: id, result: 0 };
            let (i, form) = weight(result)?;
            let ty = Type { dtype: form.precision.dtype(), shape: form.shape(&graph.ty(result).shape) };
            Some(vec![b.load(Storage::Weight(i, form), ty)])
        }
        Op::MatMul { transpose_a, .. } => {
            weight(graph.operands(id)[1])?;
            Some(vec![b.add(Op::MatMul { transpose_a, transpose_b: true }, operands)])
        }
        _ => None,
    })
}

/// For each parameter that is to be read in another form, that form: all who use it must agree.
fn forms(graph: &Graph, precision: Precision) -> BTreeMap<u32, WeightForm> {
    let mut wanted: BTreeMap<u32, Option<bool>> = BTreeMap::new();
    let mut want = |value: Value, transposed: Option<bool>| {
        if let Op::Load(Storage::Parameter(i)) = graph.op(value) {
            let before = *wanted.entry(*i).or_insert(transposed);
            wanted.insert(*i, before.filter(|before| Some(*before) == transposed));
        }
    };
    for id in graph.ids() {
        let uses = graph.operands(id).into_iter().enumerate();
        uses.for_each(|(place, value)| want(value, transposed(graph, id, place)));
    }
    graph.outputs.iter().for_each(|output| want(output.value, None));
    let form = |(i, transposed): (u32, Option<bool>)| {
        let form = WeightForm { precision, transposed: transposed? };
        let differs = form != WeightForm { precision: Precision::F32, transposed: false };
        differs.then_some((i, form))
    };
    wanted.into_iter().filter_map(form).collect()
}

/// Whether an operand should be stored the other way round; None where it must be the parameter itself.
fn transposed(graph: &Graph, user: NodeId, place: usize) -> Option<bool> {
    let matrix = graph.ty(graph.operands(user)[place]).rank() == 2;
    match graph.node(user).op {
        Op::MatMul { transpose_b, .. } if place == 1 && matrix => Some(!transpose_b),
        Op::Embed | Op::VocabularyLoss if place == 1 => Some(false),
        _ => None,
    }
}
