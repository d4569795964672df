//! The experiment: what each stage trains on, how, and how the model grows into it. Everything a stage does not say has been
//! filled in from `train`, `data` and `grow`.

use crate::precision::Precision;
use tfc_grammar::span::Span;

/// Stages in order; without a `grow` block there is one, named `train`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Experiment {
    /// Of the model's init, and of every stage that says no other.
    pub seed: u64,
    pub stages: Vec<Stage>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    pub name: String,
    /// Parameter tokens per [`super::TokenAxis`], after this stage's growth.
    pub tokens: Vec<i64>,
    /// What happens where it begins; None for a first stage and where nothing changes. Sizes may stay as they were: a stage may
    /// retune scales or reset moments without growing.
    pub growth: Option<Growth>,
    pub data: Option<DataRecipe>,
    pub train: Option<TrainRecipe>,
    pub end: End,
    /// Instead of training: a checkpoint that is loaded and checked.
    pub from: Option<String>,
    /// Of its streams: data order, dropout, new rows.
    pub seed: u64,
    pub span: Span,
}

/// What happens to parameters, scales, moments and data where a stage begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Growth {
    pub init: GrowthInit,
    pub scale: ScalePolicy,
    /// Whether the moments of old rows survive.
    pub keep_optimizer: bool,
    /// Whether the data goes on where the last stage stopped.
    pub continue_data: bool,
    pub expect: Option<Preservation>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum GrowthInit {
    /// Where the new rows of keys and of values come from; those of other parameters are as the model draws them.
    New { keys: Drawn, values: Drawn },
    /// Each key r times, its value divided by r, optionally with relative noise.
    Split { noise: f64 },
}

/// What new rows are drawn from.
#[derive(Clone, Debug, PartialEq)]
pub enum Drawn {
    /// The model's own init.
    AsModel,
    /// The normal distribution about zero that is as wide as the old rows are: its deviation is their root mean square.
    AsOld,
    From(super::Init),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScalePolicy {
    /// τ stays the number it was.
    Keep,
    /// τ returns to its rule at once, or linearly over so many steps.
    Retune { over: u64 },
}

/// `expect preserve(tolerance)`: the largest change of a logit, relative to the largest logit.
#[derive(Clone, Debug, PartialEq)]
pub struct Preservation {
    pub tolerance: f64,
    pub span: Span,
}

/// When a stage is over: the first that is reached.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct End {
    pub steps: Option<u64>,
    pub tokens: Option<u64>,
    pub flops: Option<f64>,
    pub until: Option<Until>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Until {
    /// No improvement of the validation metric by the relative `delta` for `patience` evaluations.
    Plateau {
        metric: Metric,
        patience: u32,
        delta: f64,
    },
    AtMost {
        metric: Metric,
        value: f64,
    },
    AtLeast {
        metric: Metric,
        value: f64,
    },
}

impl Until {
    /// What it looks at, of the first validation set.
    pub fn metric(&self) -> &Metric {
        match self {
            Until::Plateau { metric, .. } | Until::AtMost { metric, .. } | Until::AtLeast { metric, .. } => metric,
        }
    }
}

/// `loss` or the name of a metric, on the (first) validation set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric(pub String);

#[derive(Clone, Debug, PartialEq)]
pub struct DataRecipe {
    pub train: Corpus,
    /// Sets by name; a lone set without one has the empty name. The first stands for the run: conditions look at it.
    pub validate: Vec<(String, Validation)>,
    pub tokenizer: TokenizerSource,
    pub documents: Documents,
    pub images: Option<Images>,
    pub span: Span,
}

/// One or several paths: text files, folders, token files, or a folder of IDX files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corpus {
    pub paths: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Validation {
    Paths(Corpus),
    /// This fraction of the training documents, chosen by their hash, never trained on.
    HoldOut(f64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenizerSource {
    Bytes,
    /// A tokenizer.json.
    File(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Documents {
    Join { end: Option<String> },
    Separate,
}

/// How images are prepared: (x − mean) / std per channel (one number: all channels).
#[derive(Clone, Debug, PartialEq)]
pub struct Images {
    pub mean: Vec<f64>,
    pub std: Vec<f64>,
    /// How those that are trained on are varied.
    pub augment: Option<Augment>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augment {
    /// A random part of the image that has at least this share of its area.
    pub crop: Option<f64>,
    /// Half of them are mirrored.
    pub flip: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TrainRecipe {
    /// Sequences (or images) per step, exactly.
    pub batch: u64,
    pub precision: Precision,
    pub optimizer: Optimizer,
    pub schedule: Schedule,
    pub evaluate: Option<Cadence>,
    /// Batches per evaluation; None: the whole validation set.
    pub evaluate_batches: Option<u64>,
    pub checkpoint: Option<Cadence>,
    /// How many periodic checkpoints are kept; None: all. The ends of stages always stay.
    pub keep: Option<u64>,
    /// In order; later rules win.
    pub rules: Vec<Rule>,
    pub span: Span,
}

/// AdamW as tokenformer.md gives it: clip by global norm, bias correction per row, decoupled decay.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimizer {
    pub lr: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub decay: f64,
    /// None: no clipping.
    pub clip: Option<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    pub kind: ScheduleKind,
    pub warmup: ScheduleSpan,
    /// The learning rate at the end, as a fraction of lr.
    pub floor: f64,
    pub horizon: Horizon,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScheduleKind {
    Cosine,
    Linear,
    Constant,
    /// Constant, then down to the floor over the last part.
    Wsd {
        decay: ScheduleSpan,
    },
}

/// Steps, or a fraction of the schedule's span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScheduleSpan {
    Steps(u64),
    Fraction(f64),
}

/// What the schedule runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Horizon {
    /// `restart`: this stage.
    Stage,
    /// `continue`: all stages.
    Run,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    Every(u64),
}

/// What one `on PATTERN { … }` does, with the parameters its pattern matches.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Indices into `Model::parameters`.
    pub parameters: Vec<usize>,
    pub rows: Rows,
    pub lr: Option<f64>,
    pub decay: Option<f64>,
    pub freeze: Option<bool>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    All,
    /// Parameter-token rows from before the last growth.
    Old,
    /// Parameter-token rows since the last growth.
    New,
}
