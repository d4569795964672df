//! A model and everything that was made of it: the graphs of its entries, their plans, and the kernels they share.

use crate::graph::{Graph, Type};
use crate::model::{Model, Parameter};
use crate::optimization::Disabled;
use crate::plan::{Buffer, Place, Program};
use crate::size::Size;
use crate::storage::{RowState, Storage, WeightForm};
use std::collections::BTreeSet;

/// The inputs that entries have beside the model's, which may therefore not be called so.
pub const OWN_INPUTS: [&str; 5] = ["loss_weight", "position", "positions", "seed", "step_seed"];

/// What can be asked of a model. Each becomes a graph of that name.
///
/// | entry | inputs | effect and outputs |
/// | --- | --- | --- |
/// | `gradient` | the model's inputs, `loss_weight` f32 `[]`, `seed` i32 `[2]` if the model draws random numbers, another for each micro-batch, `step_seed` i32 `[2]` if it draws some once a step | writes loss_weight · ∂loss to every `Storage::Gradient`; `loss` |
/// | `add_gradient` | the same | the same, added to what stands there: for every micro-batch of a batch but the first |
/// | `update` | `learning_rate`, `beta1`, `one_minus_beta1`, `beta2`, `one_minus_beta2`, `eps`, `clip` (infinity: none), all f32 `[]` | steps every parameter and its moments in place, none of them where the norm is not finite; `gradient_norm` |
/// | `evaluate` | the model's inputs | `loss` and every metric |
/// | `decode` | the input ids i32 `[batch, sequence]`, `position` i32 `[]` of the first of them, `positions` i32 `[sequence]` if the model has learned positions | writes the caches; `logits` `[batch, classes]` of the last position |
/// | `named` | the model's inputs that are needed | the bindings asked for, under their names |
/// | `grad` | as `gradient`, without `loss_weight` | `loss`, and each parameter's gradient under its path |
///
/// Where a stage keeps documents apart, `gradient`, `evaluate`, `named` and `grad` also take `positions` i32 `[batch, sequence]`: where in
/// its document each token stands.
///
/// The model's inputs carry the names of `forward`'s arguments; the ids are `[batch, sequence + 1]` where the entry needs `next(ids)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Gradient,
    AddGradient,
    Update,
    Evaluate,
    Decode,
    Named(Vec<String>),
    Grad,
}

impl Entry {
    /// What an update of a model runs.
    pub fn updates(model: &Model) -> Vec<Entry> {
        let mut entries = vec![Entry::Gradient, Entry::Update];
        if model.largest_batch() > 1 {
            entries.push(Entry::AddGradient);
        }
        entries
    }

    pub fn name(&self) -> &'static str {
        match self {
            Entry::Gradient => "gradient",
            Entry::AddGradient => "add_gradient",
            Entry::Update => "update",
            Entry::Evaluate => "evaluate",
            Entry::Decode => "decode",
            Entry::Named(_) => "named",
            Entry::Grad => "grad",
        }
    }
}

/// Plain data: what a device needs to open a session.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub model: Model,
    /// One per entry, after all passes: what the reference device interprets.
    pub graphs: Vec<Graph>,
    /// One plan per entry: what the other devices run.
    pub program: Program,
    /// The types of the key/value caches of `decode`, in the order of `Storage::Cache`.
    pub caches: Vec<Type>,
    /// What was switched off: of some of it only the device knows.
    pub disabled: Disabled,
}

impl Compiled {
    pub fn graph(&self, entry: &str) -> Option<&Graph> {
        self.graphs.iter().find(|g| g.name == entry)
    }

    /// Every storage that outlives a call and its type, in a fixed order.
    pub fn storages(&self) -> Vec<(Storage, Type)> {
        let mut all = Vec::new();
        for (i, parameter) in self.model.parameters.iter().enumerate() {
            let (i, ty) = (i as u32, Type::f32(parameter.shape.clone()));
            let state =
                [Storage::Parameter(i), Storage::Gradient(i), Storage::FirstMoment(i), Storage::SecondMoment(i)];
            all.extend(state.map(|storage| (storage, ty.clone())));
            let rows = Type::f32(self.model.row_shape(i as usize));
            all.extend(RowState::ALL.map(|state| (Storage::Rows(i, state), rows.clone())));
        }
        let scalar = Type::f32(Vec::new());
        all.extend((0..self.model.scales.len()).map(|i| (Storage::Scale(i as u32), scalar.clone())));
        all.extend(self.caches.iter().enumerate().map(|(i, ty)| (Storage::Cache(i as u32), ty.clone())));
        all.extend(self.weights().into_iter().map(|(i, form)| {
            let shape = form.shape(&self.model.parameters[i as usize].shape);
            (Storage::Weight(i, form), Type { dtype: form.precision.dtype(), shape })
        }));
        all
    }

    /// The weights that plans read.
    fn weights(&self) -> BTreeSet<(u32, WeightForm)> {
        let buffers = self.program.plans.iter().flat_map(|plan| &plan.buffers);
        let weight = |buffer: &Buffer| match buffer.place {
            Place::Storage(Storage::Weight(i, form)) => Some((i, form)),
            Place::Storage(_) | Place::Arena { .. } => None,
        };
        buffers.filter_map(weight).collect()
    }
}

impl Model {
    /// The shape of a parameter's row states.
    pub fn row_shape(&self, parameter: usize) -> Vec<Size> {
        self.parameters[parameter].row_shape()
    }
}

impl Parameter {
    /// The shape of the row states: n along an axis that grows, 1 along the others.
    pub fn row_shape(&self) -> Vec<Size> {
        let grows = |axis| self.grows.iter().any(|(grown, _)| *grown == axis);
        let size = |(axis, size): (usize, &Size)| if grows(axis) { size.clone() } else { Size::constant(1) };
        self.shape.iter().enumerate().map(size).collect()
    }
}
