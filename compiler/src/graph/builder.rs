//! The only way to make nodes.

use super::{Graph, Input, Node, NodeId, Op, Origin, Output, Reduction, Type, Use, Value, infer};
use crate::scalar::{Binary, Unary};
use crate::size::{Size, Symbols};
use crate::storage::Storage;
use petgraph::graph::{DiGraph, NodeIndex};
use std::sync::Arc;

/// Builds one graph. What it is asked for has been checked: a shape that does not fit is a bug of the caller, and a panic.
pub struct Builder {
    graph: Graph,
    /// What new nodes are said to come from.
    pub origin: Origin,
}

impl Builder {
    pub fn new(name: impl Into<String>, symbols: Symbols) -> Builder {
        let graph = Graph { name: name.into(), symbols, inputs: Vec::new(), outputs: Vec::new(), dag: DiGraph::new() };
        Builder { graph, origin: Origin::default() }
    }

    /// An empty graph with the name, the symbols and the inputs of another: for passes.
    pub fn rebuild(graph: &Graph) -> Builder {
        let mut builder = Builder::new(graph.name.clone(), graph.symbols.clone());
        builder.graph.inputs = graph.inputs.clone();
        builder
    }

    pub fn ty(&self, value: Value) -> &Type {
        self.graph.ty(value)
    }

    pub fn op(&self, value: Value) -> &Op {
        self.graph.op(value)
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    pub fn finish(self) -> Graph {
        self.graph
    }

    /// A tensor handed over at each call.
    pub fn input(&mut self, name: impl Into<String>, ty: Type) -> Value {
        let storage = self.declare(Input { name: name.into(), ty: ty.clone() });
        self.load(storage, ty)
    }

    /// What loads of an input name.
    pub fn declare(&mut self, input: Input) -> Storage {
        self.graph.inputs.push(input);
        Storage::Input(self.graph.inputs.len() as u32 - 1)
    }

    pub fn load(&mut self, storage: Storage, ty: Type) -> Value {
        self.push(Op::Load(storage), &[], vec![ty])
    }

    pub fn constant(&mut self, value: f64, ty: Type) -> Value {
        self.push(Op::Constant(value), &[], vec![ty])
    }

    pub fn size_of(&mut self, size: Size) -> Value {
        self.push(Op::SizeOf(size), &[], vec![Type::f32(Vec::new())])
    }

    pub fn iota(&mut self, axis: usize, shape: Vec<Size>) -> Value {
        self.push(Op::Iota { axis }, &[], vec![Type::f32(shape)])
    }

    /// A named result handed back by each call.
    pub fn output(&mut self, name: impl Into<String>, value: Value) {
        let handed_back = self.graph.outputs.iter().filter(|o| matches!(o.target, Storage::Output(_))).count();
        self.store(name, value, Storage::Output(handed_back as u32), false);
    }

    pub fn store(&mut self, name: impl Into<String>, value: Value, target: Storage, accumulate: bool) {
        self.graph.outputs.push(Output { name: name.into(), value, target, accumulate });
    }

    /// Applies an operation that is no source; gives the first of its results.
    pub fn add(&mut self, op: Op, operands: &[Value]) -> Value {
        let types: Vec<&Type> = operands.iter().map(|v| self.graph.ty(*v)).collect();
        match infer(&op, &types) {
            Ok(types) => self.push(op, operands, types),
            Err(why) => panic!("bug in tfc: {op:?} cannot be applied: {why}"),
        }
    }

    /// Another result of the node that `value` is a result of.
    pub fn result(&self, value: Value, result: u32) -> Value {
        assert!((result as usize) < self.graph.node(value.node).types.len(), "bug in tfc: no such result");
        Value { node: value.node, result }
    }

    pub fn unary(&mut self, function: Unary, x: Value) -> Value {
        self.add(Op::Unary(function), &[x])
    }

    pub fn binary(&mut self, function: Binary, a: Value, b: Value) -> Value {
        self.add(Op::Binary(function), &[a, b])
    }

    pub fn multiply(&mut self, a: Value, b: Value) -> Value {
        self.binary(Binary::Multiply, a, b)
    }

    /// Multiplication by a number.
    pub fn scaled(&mut self, x: Value, factor: f64) -> Value {
        let factor = self.like(x, factor);
        self.multiply(x, factor)
    }

    /// A number in the type of another value.
    pub fn like(&mut self, x: Value, number: f64) -> Value {
        let ty = self.ty(x).clone();
        self.constant(number, ty)
    }

    /// A scalar, repeated to the shape of another value.
    pub fn spread(&mut self, scalar: Value, x: Value) -> Value {
        let shape = self.ty(x).shape.clone();
        let ones = vec![Size::constant(1); shape.len()];
        let scalar = self.reshape(scalar, &ones);
        self.broadcast(scalar, &shape)
    }

    /// The sum of all elements, shape `[]`.
    pub fn total(&mut self, x: Value) -> Value {
        let axes: Vec<usize> = (0..self.ty(x).rank()).collect();
        let sum = self.reduce(Reduction::Sum, &axes, x);
        self.reshape(sum, &[])
    }

    /// `x` itself where it already has that shape.
    pub fn broadcast(&mut self, x: Value, shape: &[Size]) -> Value {
        if self.ty(x).shape == shape { x } else { self.add(Op::Broadcast { shape: shape.to_vec() }, &[x]) }
    }

    pub fn reshape(&mut self, x: Value, shape: &[Size]) -> Value {
        if self.ty(x).shape == shape { x } else { self.add(Op::Reshape { shape: shape.to_vec() }, &[x]) }
    }

    /// `x` itself where there is nothing to reduce.
    pub fn reduce(&mut self, reduction: Reduction, axes: &[usize], x: Value) -> Value {
        if axes.is_empty() { x } else { self.add(Op::Reduce { reduction, axes: axes.to_vec() }, &[x]) }
    }

    /// A node of another graph as it is, on other operands.
    pub fn copy(&mut self, node: &Arc<Node>, operands: &[Value]) -> Value {
        self.insert(node.clone(), operands)
    }

    fn push(&mut self, op: Op, operands: &[Value], types: Vec<Type>) -> Value {
        self.insert(Arc::new(Node { op, types, origin: self.origin.clone() }), operands)
    }

    fn insert(&mut self, node: Arc<Node>, operands: &[Value]) -> Value {
        let node = self.graph.dag.add_node(node);
        for (operand, value) in operands.iter().enumerate() {
            let edge = Use { result: value.result, operand: operand as u32 };
            self.graph.dag.add_edge(NodeIndex::new(value.node.0 as usize), node, edge);
        }
        Value { node: NodeId(node.index() as u32), result: 0 }
    }
}
