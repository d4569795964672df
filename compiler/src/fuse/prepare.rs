//! Brings a graph into the form that kernels are made from: only what the outputs need, one load per storage, reductions one kernel can do,
//! and additions to a storage written out.
//!
//! An output that accumulates is a sum with what stands there. If its value is a sum itself, as the gradient of a tied parameter is, each
//! addend is added on its own as soon as it is there, so that every one can be added where it is made. So it is with a gradient that does not
//! accumulate: its first addend is written, the others are added.

use super::class::{self, Class};
use crate::graph::{Builder, Graph, NodeId, Op, Output, Reduction, Type, Value};
use crate::scalar::{Binary, Unary};
use crate::storage::Storage;
use std::collections::{BTreeMap, BTreeSet};

/// A prepared graph; no output of it accumulates.
pub struct Prepared {
    pub graph: Graph,
    /// The additions of a value to a sum that is made step by step: operand 0 is what stood there before.
    pub accumulations: BTreeSet<NodeId>,
    /// For each value of the graph that is needed, the value that it became.
    pub mapped: BTreeMap<Value, Value>,
}

pub fn prepare(graph: &Graph) -> Prepared {
    let builder = Builder::new(graph.name.clone(), graph.symbols.clone());
    let mut pass = Pass {
        graph,
        builder,
        mapped: BTreeMap::new(),
        loads: BTreeMap::new(),
        totals: BTreeMap::new(),
        accumulations: BTreeSet::new(),
    };
    let uses = uses(graph);
    let mut sums = Sums::default();
    for output in graph.outputs.iter().filter(|o| o.accumulate || matches!(o.target, Storage::Gradient(_))) {
        sums.collect(graph, &uses, output.value, output.target);
    }
    for id in graph.ids().filter(|id| uses[id.0 as usize] > 0 && !sums.taken_apart.contains(id)) {
        pass.copy(id);
        for (value, target) in sums.addends.get(&id).into_iter().flatten() {
            pass.take_up(*value, *target);
        }
    }
    pass.store_outputs();
    let mut prepared = pass.builder.finish();
    prepared.inputs = graph.inputs.clone();
    Prepared { graph: prepared, accumulations: pass.accumulations, mapped: pass.mapped }
}

/// How often each node is used by nodes and outputs that are needed.
fn uses(graph: &Graph) -> Vec<usize> {
    let mut uses = vec![0; graph.len()];
    graph.outputs.iter().for_each(|output| uses[output.value.node.0 as usize] += 1);
    for id in graph.ids().rev() {
        if uses[id.0 as usize] > 0 {
            graph.operands(id).into_iter().for_each(|operand| uses[operand.node.0 as usize] += 1);
        }
    }
    uses
}

/// What outputs are sums of.
#[derive(Default)]
struct Sums {
    /// By the node that makes them.
    addends: BTreeMap<NodeId, Vec<(Value, Storage)>>,
    taken_apart: BTreeSet<NodeId>,
}

impl Sums {
    /// The terms of a sum that is used for nothing else, in order; of as many as a parameter has uses.
    fn collect(&mut self, graph: &Graph, uses: &[usize], sum: Value, target: Storage) {
        let mut pending = vec![sum];
        while let Some(value) = pending.pop() {
            if *graph.op(value) == Op::Binary(Binary::Add) && uses[value.node.0 as usize] == 1 {
                self.taken_apart.insert(value.node);
                pending.extend(graph.operands(value.node).into_iter().rev());
            } else {
                self.addends.entry(value.node).or_default().push((value, target));
            }
        }
    }
}

struct Pass<'a> {
    graph: &'a Graph,
    builder: Builder,
    mapped: BTreeMap<Value, Value>,
    loads: BTreeMap<Storage, Value>,
    /// What the sums have come to so far.
    totals: BTreeMap<Storage, Value>,
    accumulations: BTreeSet<NodeId>,
}

impl Pass<'_> {
    fn copy(&mut self, id: NodeId) {
        let node = self.graph.node(id);
        let operands: Vec<Value> = self.graph.operands(id).iter().map(|v| self.mapped[v]).collect();
        self.builder.origin = node.origin.clone();
        let copied = if let Op::Load(storage) = node.op {
            self.load(storage, &node.types[0])
        } else if let Op::Reduce { reduction, axes } = &node.op {
            self.reduce(*reduction, axes, operands[0])
        } else if node.op == Op::ArgMax {
            self.arg_max(operands[0], &node.types[0])
        } else if node.op == Op::KthLargest && node.types[0] == *self.builder.ty(operands[0]) {
            // Of a row of one.
            operands[0]
        } else {
            self.builder.copy(node, &operands)
        };
        for result in 0..node.types.len() as u32 {
            self.mapped.insert(Value { node: id, result }, Value { node: copied.node, result });
        }
        self.mapped.insert(Value { node: id, result: 0 }, copied);
    }

    fn load(&mut self, storage: Storage, ty: &Type) -> Value {
        if let Some(load) = self.loads.get(&storage) {
            return *load;
        }
        let load = self.builder.load(storage, ty.clone());
        self.loads.insert(storage, load);
        load
    }

    /// Adds a value to the sum that goes to a storage; the first is added to what stands there if the output accumulates.
    fn take_up(&mut self, value: Value, target: Storage) {
        let value = self.mapped[&value];
        let ty = self.builder.ty(value).clone();
        let accumulates = |output: &Output| output.accumulate && output.target == target;
        let before = match self.totals.get(&target) {
            Some(total) => Some(*total),
            None if self.graph.outputs.iter().any(accumulates) => Some(self.load(target, &ty)),
            None => None,
        };
        let total = before.map_or(value, |before| {
            let total = self.builder.binary(Binary::Add, before, value);
            self.accumulations.insert(total.node);
            total
        });
        self.totals.insert(target, total);
    }

    fn store_outputs(&mut self) {
        for output in &self.graph.outputs {
            match (self.totals.remove(&output.target), output.accumulate) {
                (Some(total), _) => self.builder.store(&output.name, total, output.target, false),
                (None, false) => {
                    self.builder.store(&output.name, self.mapped[&output.value], output.target, false);
                }
                // A later addition to the same storage: it is in the total already.
                (None, true) => {}
            }
        }
    }

    /// One reduction after the other, each of a [`Class`] that is one kernel.
    fn reduce(&mut self, reduction: Reduction, axes: &[usize], x: Value) -> Value {
        let shape = self.builder.ty(x).shape.clone();
        let wide = class::wide_axes(&shape);
        let reduced: Vec<usize> = wide.iter().copied().filter(|axis| axes.contains(axis)).collect();
        let Some(last) = reduced.last() else { return self.reduce_nothing(reduction, x) };
        if reduced.len() == 1 || class::reduction_class(reduction, &reduced, &shape) == Some(Class::Columns) {
            return self.builder.reduce(reduction, &reduced, x);
        }
        // The last axis first: it is the fastest in memory, and what is left is small.
        let x = self.builder.reduce(reduction, &[*last], x);
        self.reduce(reduction, &reduced[..reduced.len() - 1], x)
    }

    fn reduce_nothing(&mut self, reduction: Reduction, x: Value) -> Value {
        match reduction {
            Reduction::Sum | Reduction::Maximum => x,
            Reduction::L2Norm => self.builder.unary(Unary::Absolute, x),
        }
    }

    fn arg_max(&mut self, x: Value, ty: &Type) -> Value {
        let classes = self.builder.ty(x).shape.last().expect("bug in tfc: a scalar has no largest element");
        if classes.is_one() { self.builder.constant(0.0, ty.clone()) } else { self.builder.add(Op::ArgMax, &[x]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::Symbols;

    #[test]
    fn a_gradient_that_is_a_sum_of_very_many_is_added_to_step_by_step() {
        const MANY: usize = 100_000;
        let mut b = Builder::new("gradient", Symbols::default());
        let x = b.input("x", Type::f32(vec![4.into()]));
        let sum = (0..MANY).fold(x, |sum, _| b.binary(Binary::Add, sum, x));
        b.store("sum", sum, Storage::Gradient(0), true);
        assert_eq!(prepare(&b.finish()).accumulations.len(), MANY + 1);
    }
}
