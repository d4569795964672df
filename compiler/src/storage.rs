//! The tensors that outlive one call of an entry, and the ones that cross its border: all that a graph may load and store by name.

use crate::precision::Precision;

/// A tensor outside a graph's own values. Everything else a graph computes lives in the plan's arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Storage {
    /// Handed over at each call (`ids`, `image`, `loss_weight`, `learning_rate`, …): index into the graph's inputs.
    Input(u32),
    /// Handed back by each call: index into the graph's outputs.
    Output(u32),
    /// A parameter by index into `Model::parameters`, and what training keeps beside it, all of the parameter's shape.
    Parameter(u32),
    Gradient(u32),
    FirstMoment(u32),
    SecondMoment(u32),
    /// What a rule or the birth of a row decides for the rows of one parameter: shape `[1, …, n, …, 1]`, n along the growable
    /// axis, or all ones for a parameter that does not grow.
    Rows(u32, RowState),
    /// The present multiplier τ of one Pattention: index into `Model::scales`; shape `[]`.
    Scale(u32),
    /// Keys or values of one attention's cache, `[batch, capacity, kv_heads, channels]`: index into the decode graph's caches.
    Cache(u32),
    /// A parameter as products and lookups read it where nothing trains: index into `Model::parameters`, and in what form. Whoever writes the
    /// parameter writes its weights.
    Weight(u32, WeightForm),
    /// A constant computed from the sizes alone: index into `Plan::tables`.
    Table(u32),
}

/// How a weight differs from its parameter, a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WeightForm {
    /// What its numbers are rounded to, and stored as.
    pub precision: Precision,
    /// Whether its rows are the parameter's columns.
    pub transposed: bool,
}

impl WeightForm {
    /// A weight's shape from that of its parameter, or the other way round.
    pub fn shape<T: Clone>(self, shape: &[T]) -> Vec<T> {
        if self.transposed { shape.iter().rev().cloned().collect() } else { shape.to_vec() }
    }
}

/// `bf16.transposed`
impl std::fmt::Display for WeightForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.precision.name())?;
        if self.transposed { f.write_str(".transposed") } else { Ok(()) }
    }
}

/// What the optimizer knows about each row of a parameter; f32, refreshed by the trainer when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowState {
    /// 1 where the row is trained, 0 where it is frozen.
    Trainable,
    /// The factor that rules put on the learning rate.
    LearningRate,
    /// The weight decay.
    Decay,
    /// 1 − β₁ᵗ and 1 − β₂ᵗ, t the steps since the row was born.
    FirstCorrection,
    SecondCorrection,
}

impl RowState {
    pub const ALL: [RowState; 5] = [
        RowState::Trainable,
        RowState::LearningRate,
        RowState::Decay,
        RowState::FirstCorrection,
        RowState::SecondCorrection,
    ];

    pub fn name(self) -> &'static str {
        match self {
            RowState::Trainable => "trainable",
            RowState::LearningRate => "learning_rate",
            RowState::Decay => "decay",
            RowState::FirstCorrection => "first_correction",
            RowState::SecondCorrection => "second_correction",
        }
    }
}

/// `parameter.3`, `rows.3.decay`, `weight.3.bf16`: as graphs and plans print it.
impl std::fmt::Display for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Storage::Input(i) => write!(f, "input.{i}"),
            Storage::Output(i) => write!(f, "output.{i}"),
            Storage::Parameter(i) => write!(f, "parameter.{i}"),
            Storage::Gradient(i) => write!(f, "gradient.{i}"),
            Storage::FirstMoment(i) => write!(f, "first_moment.{i}"),
            Storage::SecondMoment(i) => write!(f, "second_moment.{i}"),
            Storage::Rows(i, state) => write!(f, "rows.{i}.{}", state.name()),
            Storage::Scale(i) => write!(f, "scale.{i}"),
            Storage::Cache(i) => write!(f, "cache.{i}"),
            Storage::Weight(i, form) => write!(f, "weight.{i}.{form}"),
            Storage::Table(i) => write!(f, "table.{i}"),
        }
    }
}
