//! The walk over the graph: one fact per value, from the facts of the operands. Sources are decided here, everything else by
//! the rules of its kind.

use super::because::Step;
use super::fact::{Fact, Fresh, Kept, Reason};
use super::growing::{Growing, NewRows, ScaleChange};
use super::{choices, layout, pointwise, rows, sums};
use crate::graph::{Graph, NodeId, Op, Type, Value};
use crate::size::Size;
use crate::storage::Storage;

/// A walk that has been walked.
pub(super) struct Walk<'a> {
    pub graph: &'a Graph,
    pub growing: &'a Growing,
    /// Why changes of sizes had no effect; each once, in the order of the graph.
    pub steps: Vec<Step>,
    /// The first change that is as small as an `eps`.
    pub small: Option<Reason>,
    facts: Vec<Vec<Fact>>,
}

/// A node whose operands' facts are known.
pub(super) struct Place<'a> {
    pub id: NodeId,
    pub ty: &'a Type,
    pub operands: Vec<Fact>,
    pub shapes: Vec<&'a [Size]>,
}

impl<'a> Walk<'a> {
    pub fn new(graph: &'a Graph, growing: &'a Growing) -> Walk<'a> {
        let mut walk = Walk { graph, growing, steps: Vec::new(), small: None, facts: Vec::with_capacity(graph.len()) };
        for id in graph.ids() {
            let facts = walk.results(id);
            walk.facts.push(facts);
        }
        walk
    }

    pub fn fact(&self, value: Value) -> &Fact {
        &self.facts[value.node.0 as usize][value.result as usize]
    }

    pub fn note(&mut self, step: Step) {
        if !self.steps.contains(&step) {
            self.steps.push(step);
        }
    }

    /// One fact per result of the node.
    fn results(&mut self, id: NodeId) -> Vec<Fact> {
        let graph = self.graph;
        let node = graph.node(id);
        let operands = graph.operands(id);
        let place = Place {
            id,
            ty: &node.types[0],
            operands: operands.iter().map(|value| self.fact(*value).clone()).collect(),
            shapes: operands.iter().map(|value| graph.ty(*value).shape.as_slice()).collect(),
        };
        let fact = match &node.op {
            Op::Load(storage) => self.load(&place, *storage),
            Op::Constant(value) => Fact::number(*value),
            Op::SizeOf(size) => self.size_of(id, size),
            Op::Iota { axis } => self.iota(&place, *axis),
            Op::Uniform { .. } => self.uniform(&place),

            Op::Unary(function) => pointwise::unary(self, &place, *function),
            Op::Binary(function) => pointwise::binary(self, &place, *function),
            Op::Select => pointwise::select(self, &place),
            Op::ToFloat => place.operands[0].clone(),

            Op::Broadcast { .. } => layout::broadcast(self, &place),
            Op::Reshape { .. } => layout::reshape(self, &place),
            Op::Transpose { permutation } => layout::transpose(&place, permutation),
            Op::Slice { axis, start, length } => layout::slice(self, &place, *axis, start, length),
            Op::Concat { axis } => layout::concat(self, &place, *axis),

            Op::Reduce { reduction, axes } => sums::reduce(self, &place, *reduction, axes),
            Op::MatMul { transpose_a, transpose_b } => sums::matmul(self, &place, *transpose_a, *transpose_b),

            Op::L2Normalize { eps } => rows::l2_normalize(self, &place, *eps),
            Op::LayerNorm { eps } => rows::layer_norm(self, &place, *eps),
            Op::RmsNorm { eps } => rows::rms_norm(self, &place, *eps),
            Op::Softmax => rows::softmax(self, &place),
            Op::TopK { k } => choices::top_k(self, &place, operands[0], k),

            Op::Embed => layout::embed(&place),
            Op::Rope { .. } => self.linear_in(&place, 0),
            Op::Attention { .. } => {
                let averaged = self.linear_in(&place, 2);
                let log_sum_exp = self.opaque(&place, &node.types[1]);
                return vec![averaged, log_sum_exp];
            }
            Op::CachedAttention { .. } => self.linear_in(&place, 2),

            Op::AttentionBackward { .. }
            | Op::EmbedBackward { .. }
            | Op::OneHot { .. }
            | Op::CacheWrite
            | Op::CrossEntropy
            | Op::CrossEntropyBackward
            | Op::VocabularyLoss
            | Op::VocabularyLossBackward
            | Op::KthLargest
            | Op::ArgMax
            | Op::LabelsEqual => return node.types.iter().map(|ty| self.opaque(&place, ty)).collect(),
        };
        vec![fact]
    }

    fn load(&mut self, place: &Place, storage: Storage) -> Fact {
        match storage {
            Storage::Parameter(index) => self.parameter(place, index),
            Storage::Scale(index) => self.scale(place.id, index),
            Storage::Input(_)
            | Storage::Output(_)
            | Storage::Gradient(_)
            | Storage::FirstMoment(_)
            | Storage::SecondMoment(_)
            | Storage::Rows(..)
            | Storage::Weight(..)
            | Storage::Cache(_)
            | Storage::Table(_) => Fact { fresh: self.unknown(&place.ty.shape, "not a parameter"), ..Fact::same() },
        }
    }

    fn parameter(&mut self, place: &Place, index: u32) -> Fact {
        let axes = self.growing.axes(&place.ty.shape);
        let rows = &self.growing.rows[index as usize];
        let fresh = match rows {
            NewRows::Number(value, origin) => Fresh::Number(*value, origin.clone()),
            NewRows::Copies | NewRows::DividedCopies => Fresh::Copies,
            NewRows::Drawn(origin) => Fresh::Any(origin.clone()),
        };
        let kept = match rows {
            NewRows::DividedCopies if !axes.is_empty() => {
                let ratio: f64 = axes.iter().map(|(_, ratio)| ratio).product();
                let text = format!("values are divided by {ratio}");
                Kept::scaled(1.0 / ratio, self.because(place.id, text))
            }
            NewRows::Number(..) | NewRows::Copies | NewRows::DividedCopies | NewRows::Drawn(_) => Kept::Same,
        };
        Fact { kept, number: None, fresh: axes.into_iter().map(|(axis, _)| (axis, fresh.clone())).collect() }
    }

    fn scale(&mut self, id: NodeId, index: u32) -> Fact {
        let kept = match &self.growing.scales[index as usize] {
            ScaleChange::None => Kept::Same,
            ScaleChange::Unknown => Kept::Changed(Reason {
                proven: false,
                ..self.because(id, "a scale may be on its way still when the growth retunes it".into())
            }),
            ScaleChange::Kept { retuned_over } => {
                self.note(Step::ScaleKept { retuned_over: *retuned_over });
                Kept::Same
            }
            ScaleChange::Moves { factor, rule } => {
                self.note(Step::ScaleFollows { rule: rule.clone() });
                Kept::scaled(*factor, self.because(id, format!("scale follows {rule}")))
            }
        };
        Fact { kept, ..Fact::same() }
    }

    fn size_of(&mut self, id: NodeId, size: &Size) -> Fact {
        let why = self.because(id, format!("{} grows", size.display(&self.graph.symbols)));
        let kept = self.growing.ratio(size).map_or(Kept::Same, |ratio| Kept::scaled(ratio, why));
        Fact { kept, ..Fact::same() }
    }

    fn iota(&mut self, place: &Place, counted: usize) -> Fact {
        let fresh = |axis| if axis == counted { Fresh::Any("a count goes on".into()) } else { Fresh::Copies };
        let axes = self.growing.axes(&place.ty.shape);
        Fact { fresh: axes.into_iter().map(|(axis, _)| (axis, fresh(axis))).collect(), ..Fact::same() }
    }

    /// Drawn per element: with other sizes an element's index is another.
    fn uniform(&mut self, place: &Place) -> Fact {
        let fresh = self.unknown(&place.ty.shape, "random numbers");
        let why = self.because(place.id, "random numbers are drawn per token".into());
        let kept = if fresh.is_empty() { Kept::Same } else { Kept::Changed(why) };
        Fact { kept, number: None, fresh }
    }

    /// An operation that commutes with a factor of one operand, and of whose axes none grows.
    fn linear_in(&mut self, place: &Place, operand: usize) -> Fact {
        let others: Vec<&Kept> =
            place.operands.iter().enumerate().filter(|(i, _)| *i != operand).map(|(_, fact)| &fact.kept).collect();
        let others = Kept::opaque(&others);
        let kept = Kept::product(&[&place.operands[operand].kept, &others]);
        self.followed_only_fixed(place, place.ty, kept)
    }

    /// An operation that commutes with no factor, and of whose axes none grows.
    fn opaque(&mut self, place: &Place, ty: &Type) -> Fact {
        let parts: Vec<&Kept> = place.operands.iter().map(|fact| &fact.kept).collect();
        self.followed_only_fixed(place, ty, Kept::opaque(&parts))
    }

    fn followed_only_fixed(&mut self, place: &Place, ty: &Type, kept: Kept) -> Fact {
        let grows = place.shapes.iter().any(|shape| !self.growing.axes(shape).is_empty());
        let kept = if grows { Kept::Changed(self.lost(place.id)) } else { kept };
        Fact {
            kept,
            number: None,
            fresh: self.unknown(&ty.shape, "new slices of an operation the prover does not follow"),
        }
    }

    /// Nothing is known of the new slices.
    pub fn unknown(&self, shape: &[Size], origin: &str) -> Vec<(usize, Fresh)> {
        self.growing.axes(shape).into_iter().map(|(axis, _)| (axis, Fresh::Any(origin.into()))).collect()
    }

    pub fn because(&self, at: NodeId, text: String) -> Reason {
        Reason { text, at, proven: true }
    }

    /// The prover does not follow this operation along a growing axis.
    pub fn lost(&self, at: NodeId) -> Reason {
        let text = "the prover does not follow this operation along an axis that grows".into();
        Reason { text, at, proven: false }
    }

    /// All is lost.
    pub fn lost_fact(&self, place: &Place) -> Fact {
        let fresh = self.unknown(&place.ty.shape, "new slices of an operation the prover does not follow");
        Fact { kept: Kept::Changed(self.lost(place.id)), number: None, fresh }
    }
}
