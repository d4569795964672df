//! The vocabulary loss in chunks of rows: what one chunk does is a graph of its own, fused like any other, so the matrix of logits
//! exists for one chunk at a time.

use super::dense::dense;
use super::keep::Decisions;
use super::rows::accumulated;
use super::task::{Access, Chunks, Task, Work};
use crate::graph::{Builder, Graph, NodeId, Op, Type, Value};
use crate::passes::expand;
use crate::size::{Size, Symbol};
use crate::storage::Storage;
use std::collections::BTreeSet;

/// What the logits of one chunk may take.
const CHUNK_BYTES: i64 = 32 << 20;

/// Each chunk packs the whole table once more, which fewer rows would not pay for.
const LEAST_ROWS: i64 = 768;

/// As many rows as fit, but enough of them.
fn chunk_rows(classes: &Size) -> i64 {
    let fit = classes.as_constant().map_or(0, |classes| CHUNK_BYTES / (4 * classes.max(1)));
    fit.max(LEAST_ROWS)
}

/// The task of a vocabulary loss or of its gradient; one for both where the gradient needs nothing that comes after the loss, and then the
/// node of the gradient has none.
pub fn chunks_task(decisions: &Decisions, node: NodeId) -> Option<Task> {
    let graph = decisions.graph;
    let operands = graph.operands(node);
    let shape = ChunkShape::new(graph, operands[0], operands[1]);
    let value = |node, result| Value { node, result };
    match graph.node(node).op {
        Op::VocabularyLoss => Some(match gradient_of(decisions, node) {
            None => task(decisions, &[node], shape.forward(graph), &operands, &[value(node, 0), value(node, 1)]),
            Some(gradient) => {
                let reads = [&operands[..], &graph.operands(gradient)[4..]].concat();
                let writes = [value(gradient, 1), value(gradient, 0), value(node, 0)];
                task(decisions, &[node, gradient], shape.both(graph), &reads, &writes)
            }
        }),
        Op::VocabularyLossBackward => {
            let loss = operands[3].node;
            let alone = *graph.op(operands[3]) != Op::VocabularyLoss || gradient_of(decisions, loss) != Some(node);
            let writes = [value(node, 1), value(node, 0)];
            alone.then(|| task(decisions, &[node], shape.backward(graph), &operands, &writes))
        }
        ref op => panic!("bug in tfc: {op:?} is not done in chunks"),
    }
}

/// The first write may be absorbed by an addition.
fn task(decisions: &Decisions, nodes: &[NodeId], chunks: Chunks, reads: &[Value], writes: &[Value]) -> Task {
    let exits: Vec<Value> = writes.iter().map(|value| decisions.epilogues.exit(*value)).collect();
    let (absorbed, onto) = accumulated(decisions, writes[0], exits[0]);
    let others = writes.iter().zip(&exits).skip(1);
    let lost = others.into_iter().any(|(value, exit)| accumulated(decisions, *value, *exit).1.is_some());
    assert!(!lost, "bug in tfc: what is done in chunks adds to one total");
    Task {
        nodes: nodes.iter().copied().chain(absorbed.into_iter().filter(|node| !nodes.contains(node))).collect(),
        work: Work::Chunks(chunks),
        reads: reads.iter().map(|v| Access::dense(dense(decisions, *v))).collect(),
        writes: exits.into_iter().map(Access::dense).collect(),
        numbers: Vec::new(),
        onto,
    }
}

/// The gradient of a vocabulary loss, if all that it takes is there when the loss is computed, and nobody else needs the
/// log-sum-exp.
fn gradient_of(decisions: &Decisions, loss: NodeId) -> Option<NodeId> {
    let graph = decisions.graph;
    let gradient = decisions.uses.only_user(Value { node: loss, result: 1 })?;
    let operands = graph.operands(gradient);
    let same = graph.node(gradient).op == Op::VocabularyLossBackward && operands[..3] == graph.operands(loss);
    (same && !depends(graph, operands[4].node, loss)).then_some(gradient)
}

fn depends(graph: &Graph, node: NodeId, on: NodeId) -> bool {
    let mut seen = BTreeSet::new();
    let mut pending = vec![node];
    while let Some(node) = pending.pop() {
        if node == on {
            return true;
        }
        let operands = graph.operands(node).into_iter().map(|operand| operand.node);
        pending.extend(operands.filter(|operand| *operand >= on && seen.insert(*operand)));
    }
    false
}

struct ChunkShape<'a> {
    /// Of the whole.
    rows: Size,
    width: Size,
    classes: Size,
    w: &'a Type,
}

impl<'a> ChunkShape<'a> {
    fn new(graph: &'a Graph, h: Value, w: Value) -> ChunkShape<'a> {
        let (width, rows) = graph.ty(h).shape.split_last().expect("bug in tfc: h has a width");
        let w = graph.ty(w);
        ChunkShape { rows: Size::product(rows), width: width.clone(), classes: w.shape[0].clone(), w }
    }

    fn chunks(&self, body: Graph, reads: Vec<Option<Size>>, writes: Vec<Option<Size>>) -> Chunks {
        let chunk = chunk_rows(&self.classes);
        Chunks { rows: self.rows.clone(), chunk, body: expand(&body), read_widths: reads, write_widths: writes }
    }

    /// (h, w, labels) → (loss, log-sum-exp).
    fn forward(&self, graph: &Graph) -> Chunks {
        let mut b = Builder::new("loss of a chunk", graph.symbols.clone());
        let [h, w, labels] = self.inputs(&mut b);
        let logits = b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[h, w]); // [rows, classes]
        let loss = b.add(Op::CrossEntropy, &[logits, labels]);
        b.output("loss", loss);
        b.output("log_sum_exp", b.result(loss, 1));
        let reads = vec![self.wide(), None, one()];
        self.chunks(b.finish(), reads, vec![one(), one()])
    }

    /// (h, w, labels, log-sum-exp, gradient of loss) → (gradient of w, gradient of h); the first is added to.
    fn backward(&self, graph: &Graph) -> Chunks {
        let mut b = Builder::new("gradient of a chunk", graph.symbols.clone());
        let [h, w, labels] = self.inputs(&mut b);
        let [lse, gradient] = ["log_sum_exp", "gradient"].map(|name| b.input(name, row()));
        let logits = b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[h, w]); // [rows, classes]
        let d_logits = b.add(Op::CrossEntropyBackward, &[logits, labels, lse, gradient]);
        gradients(&mut b, h, w, d_logits);
        let reads = vec![self.wide(), None, one(), one(), one()];
        self.chunks(b.finish(), reads, vec![None, self.wide()])
    }

    /// (h, w, labels, gradient of loss) → (gradient of w, gradient of h, loss); the first is added to. The logits are computed once.
    fn both(&self, graph: &Graph) -> Chunks {
        let mut b = Builder::new("loss and gradient of a chunk", graph.symbols.clone());
        let [h, w, labels] = self.inputs(&mut b);
        let gradient = b.input("gradient", row());
        let logits = b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[h, w]); // [rows, classes]
        let loss = b.add(Op::CrossEntropy, &[logits, labels]);
        let d_logits = b.add(Op::CrossEntropyBackward, &[logits, labels, b.result(loss, 1), gradient]);
        gradients(&mut b, h, w, d_logits);
        b.store("loss", loss, Storage::Output(2), false);
        let reads = vec![self.wide(), None, one(), one()];
        self.chunks(b.finish(), reads, vec![None, self.wide(), one()])
    }

    /// The width of a row of h.
    fn wide(&self) -> Option<Size> {
        Some(self.width.clone())
    }

    fn inputs(&self, b: &mut Builder) -> [Value; 3] {
        let rows = Size::symbol(Symbol::CHUNK_ROWS);
        let h = b.input("h", Type::f32(vec![rows.clone(), self.width.clone()]));
        let w = b.input("w", self.w.clone());
        [h, w, b.input("labels", Type::i32(vec![rows]))]
    }
}

/// Stores the gradients of w, added to `Output(0)`, and of h, to `Output(1)`.
fn gradients(b: &mut Builder, h: Value, w: Value, d_logits: Value) {
    let d_w = b.add(Op::MatMul { transpose_a: true, transpose_b: false }, &[d_logits, h]);
    let d_h = b.add(Op::MatMul { transpose_a: false, transpose_b: false }, &[d_logits, w]);
    b.store("gradient of w", d_w, Storage::Output(0), true);
    b.store("gradient of h", d_h, Storage::Output(1), false);
}

/// The width of one number per row.
fn one() -> Option<Size> {
    Some(Size::constant(1))
}

fn row() -> Type {
    Type::f32(vec![Symbol::CHUNK_ROWS.into(), Size::constant(1)])
}
