//! The graph: a closed set of typed tensor operations in SSA form.
//!
//! A graph is one entry of a model (`gradient`, `update`, `evaluate`, `decode`, …). A node applies one [`Op`] to values
//! that stand before it, so the order of insertion is a topological order. Shapes are symbolic ([`crate::size::Size`]): the batch,
//! the sequence and every growable number of parameter tokens is a symbol, so one graph serves every stage of a growing model.
//!
//! - A value is one result of a node ([`Value`]); most nodes have one result, the attention and loss operations have several.
//! - Broadcasting is explicit ([`Op::Broadcast`]); a reduction keeps its axes with size 1. Operands of a pointwise operation have
//!   equal types.
//! - Nothing is updated in place. What outlives the call is named by [`Op::Load`] and by [`Output`]s, which write
//!   or add into a [`crate::storage::Storage`].
//! - Rows means all axes but the last.
//! - Nodes are made only by [`Builder`], which infers the type of every result ([`infer()`]); a pass rebuilds, it never edits.

#[cfg(test)]
pub(crate) mod arbitrary;
mod builder;
pub mod composite;
pub mod dot;
mod infer;
mod op;
mod parse;
#[cfg(test)]
mod tests;
mod text;
mod verify;

pub use builder::Builder;
pub use infer::infer;
pub use op::{AttentionMask, Op, Reduction};
pub use parse::{ParseError, parse};
pub use text::{op_text, op_word, type_text};
pub use verify::{Violation, verify};

use crate::size::{Size, Symbols};
use crate::storage::Storage;
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use std::sync::Arc;
use tfc_grammar::span::Span;

/// A node of a graph, printed as `%3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// One result of a node, printed as `%3` or, for a later result, `%3.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value {
    pub node: NodeId,
    pub result: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    F32,
    /// Of a [`Storage::Weight`] alone: what is computed is f32.
    BF16,
    I32,
}

impl DType {
    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::BF16 => "bf16",
            DType::I32 => "i32",
        }
    }

    /// Of one number.
    pub fn bytes(self) -> usize {
        match self {
            DType::F32 | DType::I32 => 4,
            DType::BF16 => 2,
        }
    }
}

/// The type of a value. On the reference device every f32 is computed in f64.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    pub dtype: DType,
    pub shape: Vec<Size>,
}

impl Type {
    pub fn f32(shape: Vec<Size>) -> Type {
        Type { dtype: DType::F32, shape }
    }

    pub fn i32(shape: Vec<Size>) -> Type {
        Type { dtype: DType::I32, shape }
    }

    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    pub fn elements(&self) -> Size {
        Size::product(&self.shape)
    }
}

/// Where a node comes from: the text of the spec and, for what belongs to a parameterised operation, its path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub span: Option<Span>,
    pub path: Option<String>,
    /// Whether it computes once more what a node before it did: then it has its reason to stand where it stands ([`crate::recompute`]).
    pub again: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub op: Op,
    pub types: Vec<Type>,
    pub origin: Origin,
}

/// An edge: this result of its source is that operand of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Use {
    result: u32,
    operand: u32,
}

/// A tensor handed over at each call, by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    pub name: String,
    pub ty: Type,
}

/// What a call leaves behind: `value` is written to `target`, or added to what stands there.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub name: String,
    pub value: Value,
    pub target: Storage,
    pub accumulate: bool,
}

/// One entry of a model. Made by [`Builder`].
#[derive(Clone, Debug)]
pub struct Graph {
    pub name: String,
    pub symbols: Symbols,
    pub inputs: Vec<Input>,
    pub outputs: Vec<Output>,
    /// Passes rebuild graphs over and over: a node that stays as it is is shared.
    dag: DiGraph<Arc<Node>, Use>,
}

impl Graph {
    /// The nodes in a topological order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.dag.node_count() as u32).map(NodeId)
    }

    pub fn len(&self) -> usize {
        self.dag.node_count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn node(&self, id: NodeId) -> &Arc<Node> {
        &self.dag[NodeIndex::new(id.0 as usize)]
    }

    pub fn op(&self, value: Value) -> &Op {
        &self.node(value.node).op
    }

    pub fn ty(&self, value: Value) -> &Type {
        &self.node(value.node).types[value.result as usize]
    }

    /// The operands of a node, in order.
    pub fn operands(&self, id: NodeId) -> Vec<Value> {
        let mut edges: Vec<_> = self.dag.edges_directed(NodeIndex::new(id.0 as usize), Direction::Incoming).collect();
        edges.sort_by_key(|edge| edge.weight().operand);
        let value = |node: NodeIndex, result| Value { node: NodeId(node.index() as u32), result };
        edges.into_iter().map(|edge| value(edge.source(), edge.weight().result)).collect()
    }

    /// The places that the operands of a node fill, ascending: 0, 1, 2, … in every graph that is valid.
    fn operand_places(&self, id: NodeId) -> Vec<u32> {
        let edges = self.dag.edges_directed(NodeIndex::new(id.0 as usize), Direction::Incoming);
        let mut places: Vec<u32> = edges.map(|e| e.weight().operand).collect();
        places.sort();
        places
    }

    /// The nodes that use a value, in order, each once.
    pub fn users(&self, value: Value) -> Vec<NodeId> {
        let mut users: Vec<NodeId> = self
            .dag
            .edges_directed(NodeIndex::new(value.node.0 as usize), Direction::Outgoing)
            .filter(|e| e.weight().result == value.result)
            .map(|e| NodeId(e.target().index() as u32))
            .collect();
        users.sort();
        users.dedup();
        users
    }
}
