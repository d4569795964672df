//! Graphs as text, one line a node; [`super::parse()`] reads it back.
//!
//! ```text
//! graph gradient
//! symbol block.0.ffn = tokens 0
//! input ids: i32[batch, sequence]
//! %0 = load input.0: i32[batch, sequence]
//! %1 = load parameter.0: f32[50304, 768] @ e.weight
//! %2 = embed(%0, %1): f32[batch, sequence, 768] @ e
//! %3 = layer_norm(%2) {eps=1e-5}: f32[batch, sequence, 768] @ block.0
//! …
//! output.0 = %31 as loss
//! gradient.0 += %57 as e.weight
//! ```
//!
//! After `@` stands the path of the layer that a node belongs to. What the type says is not said again: the shape of a broadcast,
//! the length of a slice, the classes of a table. Spans are left out: they point into a text that is not here.

use super::{AttentionMask, Graph, NodeId, Op, Output, Type, Value};
use crate::size::{Size, Symbol, SymbolKind, Symbols};
use std::fmt::{Display, Formatter, Result};

impl Display for Graph {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "graph {}", self.name)?;
        write_symbols(&self.symbols, f)?;
        for input in &self.inputs {
            writeln!(f, "input {}: {}", input.name, type_text(&input.ty, &self.symbols))?;
        }
        self.ids().try_for_each(|id| write_node(self, id, f))?;
        self.outputs.iter().try_for_each(|output| write_output(output, f))
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.result {
            0 => write!(f, "%{}", self.node.0),
            result => write!(f, "%{}.{result}", self.node.0),
        }
    }
}

impl Display for AttentionMask {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            AttentionMask::Full => write!(f, "full"),
            AttentionMask::Causal => write!(f, "causal"),
            AttentionMask::Window(n) => write!(f, "window {n}"),
        }
    }
}

/// `f32[batch, 768]`.
pub fn type_text(ty: &Type, symbols: &Symbols) -> String {
    let sizes: Vec<String> = ty.shape.iter().map(|size| size.display(symbols).to_string()).collect();
    format!("{}[{}]", ty.dtype.name(), sizes.join(", "))
}

/// The operation without its operands: `slice {axis=1, start=0}`.
pub fn op_text(op: &Op, symbols: &Symbols) -> String {
    let (name, attributes) = (name(op), attributes(op, symbols));
    if attributes.is_empty() { name } else { format!("{name} {{{}}}", attributes.join(", ")) }
}

/// The name of an operation, without what it is parameterised by: `load`, `reduce_sum`.
pub fn op_word(op: &Op) -> String {
    name(op).split(' ').next().unwrap_or_default().to_string()
}

fn write_symbols(symbols: &Symbols, f: &mut Formatter<'_>) -> Result {
    (0..symbols.len() as u32).map(Symbol).try_for_each(|symbol| match symbols.kind(symbol) {
        SymbolKind::Tokens(axis) => writeln!(f, "symbol {} = tokens {axis}", symbols.name(symbol)),
        SymbolKind::Batch
        | SymbolKind::Sequence
        | SymbolKind::Capacity
        | SymbolKind::ChunkStart
        | SymbolKind::ChunkRows => Ok(()),
    })
}

fn write_node(graph: &Graph, id: NodeId, f: &mut Formatter<'_>) -> Result {
    let node = graph.node(id);
    write!(f, "%{} = {}", id.0, name(&node.op))?;
    let operands: Vec<String> = graph.operands(id).iter().map(Value::to_string).collect();
    if !node.op.is_source() {
        write!(f, "({})", operands.join(", "))?;
    }
    let attributes = attributes(&node.op, &graph.symbols);
    if !attributes.is_empty() {
        write!(f, " {{{}}}", attributes.join(", "))?;
    }
    let types: Vec<String> = node.types.iter().map(|ty| type_text(ty, &graph.symbols)).collect();
    write!(f, ": {}", types.join(", "))?;
    if let Some(path) = &node.origin.path {
        write!(f, " @ {path}")?;
    }
    writeln!(f, "{}", if node.origin.again { " again" } else { "" })
}

fn write_output(output: &Output, f: &mut Formatter<'_>) -> Result {
    let how = if output.accumulate { "+=" } else { "=" };
    writeln!(f, "{} {how} {} as {}", output.target, output.value, output.name)
}

fn name(op: &Op) -> String {
    let name = match op {
        Op::Load(storage) => return format!("load {storage}"),
        Op::Constant(number) => return format!("constant {number:?}"),
        Op::SizeOf(_) => "size_of",
        Op::Iota { .. } => "iota",
        Op::Uniform { .. } => "uniform",
        Op::Unary(function) => function.name(),
        Op::Binary(function) => function.name(),
        Op::Select => "select",
        Op::ToFloat => "to_float",
        Op::Broadcast { .. } => "broadcast",
        Op::Reshape { .. } => "reshape",
        Op::Transpose { .. } => "transpose",
        Op::Slice { .. } => "slice",
        Op::Concat { .. } => "concat",
        Op::Reduce { reduction, .. } => return format!("reduce_{}", reduction.name()),
        Op::MatMul { .. } => "matmul",
        Op::L2Normalize { .. } => "l2_normalize",
        Op::LayerNorm { .. } => "layer_norm",
        Op::RmsNorm { .. } => "rms_norm",
        Op::Softmax => "softmax",
        Op::TopK { .. } => "top_k",
        Op::KthLargest => "kth_largest",
        Op::Embed => "embed",
        Op::EmbedBackward { .. } => "embed_backward",
        Op::OneHot { .. } => "one_hot",
        Op::Rope { .. } => "rope",
        Op::Attention { .. } => "attention",
        Op::AttentionBackward { .. } => "attention_backward",
        Op::CachedAttention { .. } => "cached_attention",
        Op::CacheWrite => "cache_write",
        Op::CrossEntropy => "cross_entropy",
        Op::CrossEntropyBackward => "cross_entropy_backward",
        Op::VocabularyLoss => "vocabulary_loss",
        Op::VocabularyLossBackward => "vocabulary_loss_backward",
        Op::ArgMax => "arg_max",
        Op::LabelsEqual => "labels_equal",
    };
    name.to_string()
}

fn attributes(op: &Op, symbols: &Symbols) -> Vec<String> {
    let size = |size: &Size| size.display(symbols).to_string();
    let flag = |name: &str, set: bool| set.then(|| name.to_string());
    match op {
        Op::SizeOf(of) => vec![format!("of={}", size(of))],
        Op::Iota { axis } | Op::Concat { axis } => vec![format!("axis={axis}")],
        Op::Uniform { stream, .. } => vec![format!("stream={stream}")],
        Op::Transpose { permutation } => vec![format!("permutation={permutation:?}")],
        Op::Slice { axis, start, .. } => vec![format!("axis={axis}"), format!("start={}", size(start))],
        Op::Reduce { axes, .. } => vec![format!("axes={axes:?}")],
        Op::MatMul { transpose_a, transpose_b } => {
            [flag("transpose_a", *transpose_a), flag("transpose_b", *transpose_b)].into_iter().flatten().collect()
        }
        Op::L2Normalize { eps } | Op::LayerNorm { eps } | Op::RmsNorm { eps } => vec![format!("eps={eps:?}")],
        Op::TopK { k } => vec![format!("k={}", size(k))],
        Op::Rope { channels, base, inverse } => {
            let turn = [format!("channels={channels}"), format!("base={base:?}")];
            turn.into_iter().chain(flag("inverse", *inverse)).collect()
        }
        Op::Attention { mask, scale } | Op::AttentionBackward { mask, scale } | Op::CachedAttention { mask, scale } => {
            vec![format!("mask={mask}"), format!("scale={scale:?}")]
        }
        Op::Load(_)
        | Op::Constant(_)
        | Op::Unary(_)
        | Op::Binary(_)
        | Op::Select
        | Op::ToFloat
        | Op::Broadcast { .. }
        | Op::Reshape { .. }
        | Op::Softmax
        | Op::KthLargest
        | Op::Embed
        | Op::EmbedBackward { .. }
        | Op::OneHot { .. }
        | Op::CacheWrite
        | Op::CrossEntropy
        | Op::CrossEntropyBackward
        | Op::VocabularyLoss
        | Op::VocabularyLossBackward
        | Op::ArgMax
        | Op::LabelsEqual => vec![],
    }
}
