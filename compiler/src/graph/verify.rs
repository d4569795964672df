//! What holds for every graph. Run after every pass and on every graph that was read from text; collects all violations.
//!
//! 1. Operands are results of nodes that stand before, and fill the places 0, 1, 2, … once each.
//! 2. The types of the results are those that [`infer()`] gives; sources have the type that their sentence in [`Op`] says.
//! 3. A load of an input names one that exists, with its type; a graph does not load an output of the call.
//! 4. Whatever is loaded or stored under one name has one type; so do a parameter, its gradient and its moments.
//! 5. Outputs are values of the graph; those handed back are numbered 0, 1, 2, … and have different names.
//! 6. A storage is written once, or only added to; only f32 is added; inputs, scales, row states and tables are never written.
//! 7. Every symbol of a size is one of the graph's.
//! 8. Attributes make sense: eps ≥ 0, finite scales, windows ≥ 1, even rotary channels within a head, slices within their axis, at least one of a row chosen and at most all.
//! 9. Names of inputs differ.

use super::{AttentionMask, DType, Graph, NodeId, Op, Type, Value, infer};
use crate::size::Size;
use crate::storage::Storage;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// An invariant that does not hold, by its number in the list above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub invariant: u32,
    /// A node or an output.
    pub place: String,
    pub why: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (invariant {})", self.place, self.why, self.invariant)
    }
}

/// Everything that is wrong with a graph.
pub fn verify(graph: &Graph) -> Vec<Violation> {
    let mut verifier = Verifier { graph, found: Vec::new(), storages: BTreeMap::new() };
    verifier.inputs();
    for id in graph.ids() {
        verifier.node(id);
    }
    verifier.outputs();
    verifier.found
}

struct Verifier<'a> {
    graph: &'a Graph,
    found: Vec<Violation>,
    /// The types that storages were seen with. A parameter stands for what training keeps beside it.
    storages: BTreeMap<Storage, Type>,
}

impl Verifier<'_> {
    fn require(&mut self, invariant: u32, holds: bool, place: &dyn fmt::Display, why: impl Into<String>) {
        if !holds {
            self.found.push(Violation { invariant, place: place.to_string(), why: why.into() });
        }
    }

    fn report(&mut self, invariant: u32, result: Result<(), String>, place: &dyn fmt::Display) {
        if let Err(why) = result {
            self.require(invariant, false, place, why);
        }
    }

    fn inputs(&mut self) {
        let mut names = BTreeSet::new();
        for input in &self.graph.inputs {
            self.require(9, names.insert(&input.name), &input.name, "two inputs have this name");
            self.symbols(&input.ty, &input.name);
        }
    }

    fn node(&mut self, id: NodeId) {
        let place = Value { node: id, result: 0 };
        if !self.operands_stand_before(id) {
            return;
        }
        let graph = self.graph;
        let node = graph.node(id);
        node.types.iter().for_each(|ty| self.symbols(ty, &place));
        if let Op::Load(storage) = node.op {
            self.load(storage, &node.types[0], &place);
        }
        if let Op::SizeOf(size) | Op::TopK { k: size } = &node.op {
            self.known(size, &place);
        }
        let operands: Vec<&Type> = graph.operands(id).iter().map(|v| graph.ty(*v)).collect();
        match typed(&node.op, &operands, &node.types) {
            Ok(()) => self.report(8, attributes(&node.op, &operands), &place),
            wrong => self.report(2, wrong, &place),
        }
    }

    fn operands_stand_before(&mut self, id: NodeId) -> bool {
        let place = Value { node: id, result: 0 };
        let places = self.graph.operand_places(id);
        let in_order = places.iter().copied().eq(0..places.len() as u32);
        self.require(1, in_order, &place, "its operands do not fill the places 0, 1, 2, …");
        let exist = self.graph.operands(id).iter().all(|v| v.node < id && exists(self.graph, *v));
        self.require(1, exist, &place, "an operand does not stand before it");
        in_order && exist
    }

    fn load(&mut self, storage: Storage, ty: &Type, place: &dyn fmt::Display) {
        if let Storage::Input(i) = storage {
            let declared = self.graph.inputs.get(i as usize).is_some_and(|input| input.ty == *ty);
            self.require(3, declared, place, format!("there is no input {i} of this type"));
        }
        self.require(3, !matches!(storage, Storage::Output(_)), place, "an output of the call is loaded");
        self.storage(storage, ty, place);
    }

    fn storage(&mut self, storage: Storage, ty: &Type, place: &dyn fmt::Display) {
        let key = match storage {
            Storage::Gradient(i) | Storage::FirstMoment(i) | Storage::SecondMoment(i) => Storage::Parameter(i),
            other => other,
        };
        let before = self.storages.entry(key).or_insert_with(|| ty.clone());
        let same = before == ty;
        self.require(4, same, place, format!("{storage} has another type elsewhere"));
    }

    fn outputs(&mut self) {
        let (mut names, mut written, mut added) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut handed_back = 0;
        let graph = self.graph;
        for output in &graph.outputs {
            let place = &output.name;
            if !exists(graph, output.value) {
                self.require(5, false, place, "its value is none of the graph's");
                continue;
            }
            let ty = graph.ty(output.value);
            if let Storage::Output(i) = output.target {
                self.require(5, i == handed_back, place, format!("it should be output {handed_back}"));
                self.require(5, names.insert(&output.name), place, "two outputs have this name");
                handed_back += 1;
            }
            self.require(6, writable(output.target), place, format!("{} is not written by graphs", output.target));
            self.require(6, !output.accumulate || ty.dtype == DType::F32, place, "only f32 is added up");
            let fresh = if output.accumulate { added.insert(output.target) } else { written.insert(output.target) };
            let clash = written.contains(&output.target) && (added.contains(&output.target) || !fresh);
            self.require(6, !clash, place, format!("{} is written more than once", output.target));
            self.storage(output.target, ty, place);
        }
    }

    fn symbols(&mut self, ty: &Type, place: &dyn fmt::Display) {
        ty.shape.iter().for_each(|size| self.known(size, place));
    }

    fn known(&mut self, size: &Size, place: &dyn fmt::Display) {
        let known = size.all_symbols(|symbol| (symbol.0 as usize) < self.graph.symbols.len());
        self.require(7, known, place, "a size holds a symbol that the graph does not know");
    }
}

fn exists(graph: &Graph, value: Value) -> bool {
    (value.node.0 as usize) < graph.len() && (value.result as usize) < graph.node(value.node).types.len()
}

fn writable(storage: Storage) -> bool {
    match storage {
        Storage::Output(_)
        | Storage::Parameter(_)
        | Storage::Gradient(_)
        | Storage::FirstMoment(_)
        | Storage::SecondMoment(_)
        | Storage::Cache(_) => true,
        Storage::Input(_) | Storage::Rows(..) | Storage::Scale(_) | Storage::Weight(..) | Storage::Table(_) => false,
    }
}

/// Invariant 2.
fn typed(op: &Op, operands: &[&Type], types: &[Type]) -> Result<(), String> {
    let source = |fits: &dyn Fn(&Type) -> bool, why: &str| require(matches!(types, [ty] if fits(ty)), why);
    match op {
        Op::Load(_) => source(&|_| true, "a load has one result"),
        Op::Constant(number) => {
            let fits = |ty: &Type| ty.dtype == DType::F32 || *number == f64::from(*number as i32);
            source(&fits, "a constant has one result, which can hold it")
        }
        Op::SizeOf(_) => source(&|ty| *ty == Type::f32(vec![]), "a size as a number is f32[]"),
        Op::Iota { axis } => {
            source(&|ty| ty.dtype == DType::F32 && *axis < ty.rank(), "iota counts in f32 along an axis that it has")
        }
        Op::Uniform { .. }
        | Op::Unary(_)
        | Op::Binary(_)
        | Op::Select
        | Op::ToFloat
        | Op::Broadcast { .. }
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::Slice { .. }
        | Op::Concat { .. }
        | Op::Reduce { .. }
        | Op::MatMul { .. }
        | Op::L2Normalize { .. }
        | Op::LayerNorm { .. }
        | Op::RmsNorm { .. }
        | Op::Softmax
        | Op::TopK { .. }
        | Op::KthLargest
        | Op::Embed
        | Op::EmbedBackward { .. }
        | Op::OneHot { .. }
        | Op::Rope { .. }
        | Op::Attention { .. }
        | Op::AttentionBackward { .. }
        | Op::CachedAttention { .. }
        | Op::CacheWrite
        | Op::CrossEntropy
        | Op::CrossEntropyBackward
        | Op::VocabularyLoss
        | Op::VocabularyLossBackward
        | Op::ArgMax
        | Op::LabelsEqual => {
            require(infer(op, operands)? == types, "its types are not those that its operands give it")
        }
    }
}

fn attention(mask: AttentionMask, scale: f64) -> Result<(), String> {
    require(scale.is_finite(), "the scale of attention is finite")?;
    require(mask != AttentionMask::Window(0), "a window holds at least the position itself")
}

/// Invariant 8, on the types of the operands.
fn attributes(op: &Op, operands: &[&Type]) -> Result<(), String> {
    match op {
        Op::L2Normalize { eps } | Op::LayerNorm { eps } | Op::RmsNorm { eps } => {
            require(*eps >= 0.0 && eps.is_finite(), "eps is a finite number, not below 0")
        }
        Op::Attention { mask, scale } => attention(*mask, *scale),
        Op::AttentionBackward { mask, scale } => attention(*mask, *scale),
        Op::CachedAttention { mask, scale } => attention(*mask, *scale),
        Op::Rope { channels, base, .. } => {
            let within = operands[0].shape[3].as_constant().is_none_or(|width| *channels as i64 <= width);
            require(within && channels.is_multiple_of(2), "rotary channels are an even number within the head")?;
            require(*base > 0.0 && base.is_finite(), "the base of rotary angles is a positive number")
        }
        Op::TopK { k } => {
            let row = operands[0].shape.last().cloned().unwrap_or_default();
            let below = |size: Size, least: i64| size.as_constant().is_some_and(|n| n < least);
            require(!below(k.clone(), 1) && !below(row - k.clone(), 0), "k is from 1 to the length of a row")
        }
        Op::Slice { axis, start, length } => {
            let rest = operands[0].shape[*axis].clone() - start.clone() - length.clone();
            let negative = |size: &Size| size.as_constant().is_some_and(|n| n < 0);
            require(![start, length, &rest].into_iter().any(negative), "a slice lies within its axis")
        }
        Op::Load(_)
        | Op::Constant(_)
        | Op::SizeOf(_)
        | Op::Iota { .. }
        | Op::Uniform { .. }
        | Op::Unary(_)
        | Op::Binary(_)
        | Op::Select
        | Op::ToFloat
        | Op::Broadcast { .. }
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::Concat { .. }
        | Op::Reduce { .. }
        | Op::MatMul { .. }
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
        | Op::LabelsEqual => Ok(()),
    }
}

fn require(holds: bool, why: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why.into()) }
}
