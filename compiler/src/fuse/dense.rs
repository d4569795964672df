//! Operations that are kernels of their own, on dense tensors.

use super::keep::Decisions;
use super::rows::accumulated;
use super::task::{Access, DenseWork, Slot, Task, Work};
use crate::graph::{Graph, NodeId, Op, Value};
use crate::kernel::{Attention, AttentionBackward, CachedAttention, Number, Rope};
use crate::precision::Precision;
use crate::size::{Size, Symbol};

pub fn dense_task(decisions: &Decisions, node: NodeId) -> Task {
    let graph = decisions.graph;
    let operands = graph.operands(node);
    let shape = |i: usize| &graph.ty(operands[i]).shape;
    let elements = |i: usize| graph.ty(operands[i]).elements();
    let result = Value { node, result: 0 };
    let exit = decisions.epilogues.exit(result);
    let (nodes, onto) = accumulated(decisions, result, exit);
    let all: Vec<usize> = (0..operands.len()).collect();
    match &graph.node(node).op {
        Op::Embed => {
            let work = DenseWork::Gather { rows: elements(0), width: shape(1)[1].clone() };
            task(decisions, nodes, work, &all, None)
        }
        Op::EmbedBackward { classes } => {
            let width = shape(1).last().expect("bug in tfc: a gradient has a width").clone();
            let work = DenseWork::ScatterAdd { rows: elements(0), width, classes: classes.clone() };
            task(decisions, nodes, work, &all, onto)
        }
        Op::Rope { channels, base, inverse } => {
            let sizes = [shape(0).as_slice(), &[Size::constant(*channels as i64)]].concat();
            let positions = table_positions(graph, operands[1], &shape(0)[1]);
            let (channels, base) = (*channels as u32, *base);
            let body = Rope { inverse: *inverse, documents: !shape(1).is_empty() };
            task(decisions, nodes, DenseWork::Rope { body, sizes, channels, base, positions }, &all, None)
        }
        Op::CacheWrite => {
            let [cache, new] = [shape(0), shape(1)];
            let sizes = vec![new[0].clone(), new[1].clone(), cache[1].clone(), Size::product(&new[2..])];
            let before = Some(Slot::Value(operands[0]));
            task(decisions, nodes, DenseWork::CacheWrite { sizes }, &[1, 2], before)
        }
        Op::Attention { mask, scale } => {
            let (channels, sizes) = training_sizes(shape(0), shape(1));
            let (mask, scale, documents) = (*mask, Number(*scale), operands.len() == 4);
            let body = Attention { precision: Precision::F32, channels, mask, documents, scale };
            task(decisions, nodes, DenseWork::Attention { body, sizes }, &all, None)
        }
        Op::AttentionBackward { mask, scale } => {
            let (channels, sizes) = training_sizes(shape(0), shape(1));
            let (mask, scale, documents) = (*mask, Number(*scale), operands.len() == 7);
            let rotary = None;
            let body = AttentionBackward { precision: Precision::F32, channels, mask, documents, scale, rotary };
            task(decisions, nodes, DenseWork::AttentionBackward { body, sizes }, &all, None)
        }
        Op::CachedAttention { mask, scale } => {
            let [q, keys] = [shape(0), shape(1)];
            let (channels, mask, scale) = (channels(q), *mask, Number(*scale));
            let sizes = [&q[0], &q[1], &keys[1], &q[2], &keys[2]].map(Size::clone).to_vec();
            let work = DenseWork::CachedAttention { body: CachedAttention { channels, mask, scale }, sizes };
            task(decisions, nodes, work, &all, None)
        }
        op => panic!("bug in tfc: {op:?} is no kernel of its own"),
    }
}

fn task(decisions: &Decisions, nodes: Vec<NodeId>, work: DenseWork, reads: &[usize], onto: Option<Slot>) -> Task {
    let (graph, node) = (decisions.graph, nodes[0]);
    let operands = graph.operands(node);
    let reads = reads.iter().map(|i| Access::dense(dense(decisions, operands[*i]))).collect();
    let results = (0..graph.node(node).types.len() as u32).map(|result| Value { node, result });
    let writes = results.map(|result| Access::dense(decisions.epilogues.exit(result))).collect();
    Task { nodes, work: Work::Dense(work), reads, writes, numbers: Vec::new(), onto }
}

/// The kept value that an operand is, under whatever shape.
pub fn dense(decisions: &Decisions, operand: Value) -> Value {
    decisions.dense_root(operand).expect("bug in tfc: an operand of a dense kernel is not kept")
}

fn channels(q: &[Size]) -> u32 {
    let channels = q[3].as_constant().and_then(|c| u32::try_from(c).ok());
    channels.expect("bug in tfc: the channels of a head are a number")
}

/// B, T, H, G.
fn training_sizes(q: &[Size], k: &[Size]) -> (u32, Vec<Size>) {
    (channels(q), [&q[0], &q[1], &q[2], &k[2]].map(Size::clone).to_vec())
}

/// How many positions a rotary table must have: as many as there are in a sequence where each token has its own, as many as can be
/// cached where only the first is known, and only at run time.
fn table_positions(graph: &Graph, position: Value, length: &Size) -> Size {
    if let Op::Constant(first) = graph.op(position) {
        return Size::constant(*first as i64) + length.clone();
    }
    if graph.ty(position).rank() > 0 { length.clone() } else { Symbol::CAPACITY.into() }
}
