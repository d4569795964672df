//! The model: what a `.tfm` file means, checked. Whatever is in a [`Model`] can be lowered, planned and trained without a further
//! question about the file: every name resolved, every shape inferred, every stage's sizes and recipe written out.
//!
//! - The forward pass is a [`Program`]: primitives of the language applied to typed values, layer calls and repeats unrolled, each
//!   value with the span of its text. It is the same for all entries; lowering makes a graph of it per entry.
//! - What training needs is an [`Experiment`]: one fully resolved recipe per stage.
//! - A growable axis is a symbol. All Pattentions of one token group within one repeat instance share one ([`TokenAxis`]).

mod amount;
mod apart;
mod choices;
mod nested;
mod paths;
mod positions;
mod prediction;
mod program;
mod recipe;
mod sequences;
mod state;
mod text;
mod vocabulary;

pub use amount::Amount;
pub use choices::Impossible;
pub use paths::{PathPart, PathPattern, PatternPart, path_parts};
pub use prediction::Prediction;
pub use program::{Application, Primitive, Program, ValueId, ValueType, source_of_ids};
pub use recipe::{
    Augment, Cadence, Corpus, DataRecipe, Documents, Drawn, End, Experiment, Growth, GrowthInit, Horizon, Images,
    Metric, Optimizer, Preservation, Rows, Rule, ScalePolicy, Schedule, ScheduleKind, ScheduleSpan, Stage,
    TokenizerSource, TrainRecipe, Until, Validation,
};
pub use state::StageScales;
pub use vocabulary::Vocabulary;

use crate::precision::Precision;
use crate::size::{Size, Symbol, Symbols};
use tfc_grammar::span::Span;

#[derive(Clone, Debug)]
pub struct Model {
    pub name: String,
    pub symbols: Symbols,
    /// Every `let`, with its value after `--set`, in source order.
    pub constants: Vec<Constant>,
    pub token_groups: Vec<TokenGroup>,
    /// What `SymbolKind::Tokens` indexes.
    pub token_axes: Vec<TokenAxis>,
    /// The arguments of `forward`.
    pub inputs: Vec<ModelInput>,
    /// In source order: the order of the program's first use.
    pub parameters: Vec<Parameter>,
    pub scales: Vec<Scale>,
    pub program: Program,
    /// The largest sequence (`context`), where an input has one.
    pub context: Option<i64>,
    /// What `next(ids)` was asked of: the input that needs one more id than it hands to `forward`.
    pub next_of: Option<usize>,
    pub experiment: Experiment,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    pub name: String,
    pub value: ConstantValue,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ConstantValue {
    Number(f64),
    Name(String),
    Flag(bool),
}

/// A `tokens` declaration.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenGroup {
    pub name: String,
    /// Derived groups follow others and cannot be set.
    pub derived: bool,
    pub span: Span,
}

/// The parameter tokens of one group in one repeat instance.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenAxis {
    pub symbol: Symbol,
    /// Index into `Model::token_groups`.
    pub group: usize,
    /// `block.3.ffn`: the path of the repeat instance and the group.
    pub path: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ModelInput {
    pub name: String,
    pub kind: InputKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum InputKind {
    /// i32 `[batch, sequence]`, each below the vocabulary; the sequence at most `context`.
    TokenIds { context: i64 },
    /// f32 `[batch, channels, height, width]`, 0..1.
    Image { channels: i64, height: i64, width: i64 },
    /// i32 `[batch]`, each below `classes`.
    Class { classes: i64 },
    /// f32 `[batch, …]`.
    Tensor { shape: Vec<i64> },
}

/// What a parameter is for: decides its default init and decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Keys,
    Values,
    Embedding,
    Linear,
    Positions,
    NormWeight,
    NormBias,
    Bias,
    /// A bare `parameter[…]` that is none of the above.
    Free,
}

impl Role {
    /// Whether weight decay acts on it where no rule says otherwise.
    pub fn decays(self) -> bool {
        match self {
            Role::Keys | Role::Values | Role::Embedding | Role::Linear | Role::Positions | Role::Free => true,
            Role::NormWeight | Role::NormBias | Role::Bias => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// `block.3.attend.q.keys`.
    pub path: String,
    pub shape: Vec<Size>,
    pub role: Role,
    pub init: Init,
    /// The axes that grow, in order, each with the index of its [`TokenAxis`].
    pub grows: Vec<(usize, usize)>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Init {
    Zero,
    One,
    Normal {
        std: Amount,
    },
    /// In [−bound, bound).
    Uniform {
        bound: Amount,
    },
}

/// A multiplier whose rule depends on numbers of tokens: state of a growing model, a run-time scalar of its kernels.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// `block.3.ffn.scale`.
    pub path: String,
    /// The rule, from the sizes now.
    pub rule: Amount,
    pub span: Span,
}

impl Model {
    /// The symbol's axis, if it stands for parameter tokens.
    pub fn axis_of(&self, size: &Size) -> Option<usize> {
        let symbol = size.as_symbol()?;
        self.token_axes.iter().position(|axis| axis.symbol == symbol)
    }

    /// Whether a stage keeps documents apart: the entries that see whole sequences then take each token's position in its document.
    pub fn separates_documents(&self) -> bool {
        let separate = |stage: &Stage| stage.data.as_ref().is_some_and(|data| data.documents == Documents::Separate);
        self.experiment.stages.iter().any(separate)
    }

    /// What a stage computes in; one that trains nothing, as the last before it that does.
    pub fn stage_precision(&self, stage: usize) -> Precision {
        let until = self.experiment.stages.iter().take(stage + 1);
        until.filter_map(|stage| stage.train.as_ref()).next_back().map_or(Precision::F32, |train| train.precision)
    }

    /// The most sequences in a batch of any stage.
    pub fn largest_batch(&self) -> u64 {
        let trained = self.experiment.stages.iter().filter_map(|stage| stage.train.as_ref());
        trained.map(|train| train.batch).max().unwrap_or(1)
    }

    pub fn parameter(&self, path: &str) -> Option<usize> {
        self.parameters.iter().position(|p| p.path == path)
    }
}
