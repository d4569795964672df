//! The vocabulary loss in chunks of rows: what one chunk does is a graph of its own, fused like any other, so the matrix of logits
//! exists for one chunk at a time.

use super::dense::dense;
use super::keep::Decisions;
use super::rows::accumulated;
use super::task::{Access, Chunks, Task, Work};
use crate::graph::{Builder, Graph, NodeId, Op, Reduction, Type, Value};
use crate::kernel::Contraction;
use crate::scalar::{Binary, Unary};
use crate::size::{Size, Symbol};
use crate::storage::Storage;

/// What the logits of one chunk may take.
const CHUNK_BYTES: i64 = 32 << 20;

/// As many rows as fit, but no fewer than one block of a contraction: each chunk packs the whole table once more, which fewer rows would
/// not pay for.
fn chunk_rows(classes: &Size) -> i64 {
    let fit = classes.as_constant().map_or(0, |classes| CHUNK_BYTES / (4 * classes.max(1)));
    fit.max(Contraction::ROW_BLOCK)
}

pub fn chunks_task(decisions: &Decisions, node: NodeId) -> Task {
    let graph = decisions.graph;
    let operands = graph.operands(node);
    let shape = ChunkShape::new(graph, operands[0], operands[1]);
    let result = |result| Value { node, result };
    let (chunks, writes) = match graph.node(node).op {
        Op::VocabularyLoss => (shape.forward(graph), [result(0), result(1)]),
        // The gradient of w first: it is what may add to something.
        Op::VocabularyLossBackward => (shape.backward(graph), [result(1), result(0)]),
        ref op => panic!("bug in tfc: {op:?} is not done in chunks"),
    };
    let exits = writes.map(|value| decisions.epilogues.exit(value));
    let (nodes, onto) = accumulated(decisions, writes[0], exits[0]);
    Task {
        nodes,
        work: Work::Chunks(chunks),
        reads: operands.iter().map(|v| Access::dense(dense(decisions, *v))).collect(),
        writes: exits.map(Access::dense).to_vec(),
        numbers: Vec::new(),
        onto,
    }
}

struct ChunkShape {
    /// Of the whole.
    rows: Size,
    width: Size,
    classes: Size,
}

impl ChunkShape {
    fn new(graph: &Graph, h: Value, w: Value) -> ChunkShape {
        let (width, rows) = graph.ty(h).shape.split_last().expect("bug in tfc: h has a width");
        let classes = graph.ty(w).shape[0].clone();
        ChunkShape { rows: Size::product(rows), width: width.clone(), classes }
    }

    fn chunks(&self, body: Graph, reads: Vec<Option<Size>>, writes: Vec<Option<Size>>) -> Chunks {
        let chunk = chunk_rows(&self.classes);
        Chunks { rows: self.rows.clone(), chunk, body, read_widths: reads, write_widths: writes }
    }

    /// (h, w, labels) → (loss, log-sum-exp).
    fn forward(&self, graph: &Graph) -> Chunks {
        let mut b = Builder::new("loss of a chunk", graph.symbols.clone());
        let [h, w, labels] = self.inputs(&mut b);
        let logits = b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[h, w]); // [rows, classes]
        let lse = log_sum_exp(&mut b, logits);
        let target = self.is_label(&mut b, labels);
        let zero = b.constant(0.0, b.ty(logits).clone());
        let picked = b.add(Op::Select, &[target, logits, zero]);
        let picked = b.reduce(Reduction::Sum, &[1], picked); // [rows, 1]
        let loss = b.binary(Binary::Subtract, lse, picked);
        b.output("loss", loss);
        b.output("log_sum_exp", lse);
        let one = Some(Size::constant(1));
        let reads = vec![Some(self.width.clone()), None, one.clone()];
        self.chunks(b.finish(), reads, vec![one.clone(), one])
    }

    /// (h, w, labels, log-sum-exp, gradient of loss) → (gradient of w, gradient of h); the first is added to.
    fn backward(&self, graph: &Graph) -> Chunks {
        let mut b = Builder::new("gradient of a chunk", graph.symbols.clone());
        let [h, w, labels] = self.inputs(&mut b);
        let row = Type::f32(vec![Symbol::CHUNK_ROWS.into(), Size::constant(1)]);
        let [lse, gradient] = ["log_sum_exp", "gradient"].map(|name| b.input(name, row.clone()));
        let logits = b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[h, w]); // [rows, classes]
        let shape = b.ty(logits).shape.clone();
        let [lse, gradient] = [lse, gradient].map(|number| b.broadcast(number, &shape));
        let shifted = b.binary(Binary::Subtract, logits, lse);
        let probability = b.unary(Unary::Exp, shifted);
        let target = self.is_label(&mut b, labels);
        let difference = b.binary(Binary::Subtract, probability, target);
        let d_logits = b.multiply(difference, gradient);
        let d_w = b.add(Op::MatMul { transpose_a: true, transpose_b: false }, &[d_logits, h]);
        let d_h = b.add(Op::MatMul { transpose_a: false, transpose_b: false }, &[d_logits, w]);
        b.store("gradient of w", d_w, Storage::Output(0), true);
        b.store("gradient of h", d_h, Storage::Output(1), false);
        let (wide, one) = (Some(self.width.clone()), Some(Size::constant(1)));
        let reads = vec![wide.clone(), None, one.clone(), one.clone(), one];
        self.chunks(b.finish(), reads, vec![None, wide])
    }

    fn inputs(&self, b: &mut Builder) -> [Value; 3] {
        let rows = Size::symbol(Symbol::CHUNK_ROWS);
        let h = b.input("h", Type::f32(vec![rows.clone(), self.width.clone()]));
        let w = b.input("w", Type::f32(vec![self.classes.clone(), self.width.clone()]));
        [h, w, b.input("labels", Type::i32(vec![rows]))]
    }

    /// 1 at the label of each row: `[rows, classes]`.
    fn is_label(&self, b: &mut Builder, labels: Value) -> Value {
        b.add(Op::OneHot { classes: self.classes.clone() }, &[labels])
    }
}

/// `[rows, 1]`.
fn log_sum_exp(b: &mut Builder, logits: Value) -> Value {
    let shape = b.ty(logits).shape.clone();
    let maximum = b.reduce(Reduction::Maximum, &[1], logits);
    let repeated = b.broadcast(maximum, &shape);
    let shifted = b.binary(Binary::Subtract, logits, repeated);
    let exp = b.unary(Unary::Exp, shifted);
    let sum = b.reduce(Reduction::Sum, &[1], exp);
    let log = b.unary(Unary::Log, sum);
    b.binary(Binary::Add, maximum, log)
}
