//! `state.json`: everything a run needs beside its tensors to go on as if it had not stopped.

use crate::grow::scales;
use crate::rows::{self, Lineage};
use crate::schedule::Curve;
use crate::sizes::{sizes_at, tokens_by_path};
use crate::{Failure, Kind, Result, storage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use tfc_compiler::budget::Decision;
use tfc_compiler::model::{Model, Stage};
use tfc_compiler::size::SizeValues;

/// More parameter tokens than anybody has memory for: products of sizes stay numbers.
const MOST_TOKENS: i64 = u32::MAX as i64;

/// What [`State::version`] is now.
pub const VERSION: u32 = 3;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub version: u32,
    pub model: String,
    /// Of the present stage: its random numbers are functions of it and of counters that stand here too.
    pub seed: u64,
    /// What the run has done so far.
    pub done: Done,
    pub stage: StageState,
    /// The index of the stage that grew last.
    pub last_growth: Option<usize>,
    /// The number of parameter tokens of every axis, by its path.
    pub tokens: BTreeMap<String, i64>,
    /// By parameter, in the model's order.
    pub rows: Vec<Lineage>,
    /// By scale, in the model's order.
    pub scales: Vec<ScaleState>,
    pub data: DataState,
    /// None before the run has been planned for a machine: an import decides nothing.
    pub plan: Option<PlanState>,
    /// Changes of the spec that were taken when the run was resumed.
    pub changes: Vec<Change>,
}

/// Updates, tokens and FLOPs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    pub steps: u64,
    pub tokens: u64,
    pub flops: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageState {
    pub index: usize,
    pub name: String,
    /// What the stage has done so far.
    pub done: Done,
    /// The learning-rate schedule, with its spans in steps; None before the stage has trained.
    pub schedule: Option<Curve>,
    /// The last evaluation of the first validation set in this stage.
    pub evaluation: Option<Evaluated>,
    pub plateau: Plateau,
}

/// The loss and the metrics that were finite, after `step` updates of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluated {
    pub step: u64,
    pub values: BTreeMap<String, f64>,
}

/// How long a metric has not improved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plateau {
    pub best: Option<f64>,
    pub evaluations_since: u32,
}

/// The multiplier τ of one Pattention.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaleState {
    /// The scale's path.
    pub scale: String,
    pub value: f64,
    /// On its way to the rule.
    pub ramp: Option<Ramp>,
}

/// From a value to the rule in a straight line over `over` updates after the run's update `since`: below 0 where the updates of another
/// run are part of the way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    pub from: f64,
    pub since: i64,
    pub over: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataState {
    /// Sequences drawn so far.
    pub cursor: u64,
    /// Tells training sets apart, in hexadecimal; None before the stage has trained.
    pub hash: Option<String>,
}

/// What the plan decided for this machine and a resumed run obeys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanState {
    /// The most sequences that go through the model at once, in any stage.
    pub micro_batch: u64,
    /// What the backward part computes again, by its role in a layer.
    #[serde(default)]
    pub recomputed: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Updates of the run before it.
    pub step: u64,
    pub change: String,
}

impl Done {
    pub fn add(&mut self, other: Done) {
        self.steps += other.steps;
        self.tokens += other.tokens;
        self.flops += other.flops;
    }
}

impl PlanState {
    /// So many sequences at once, and nothing computed again.
    pub fn of(micro_batch: u64) -> PlanState {
        PlanState { micro_batch: micro_batch.max(1), recomputed: Vec::new() }
    }
}

/// `at most 4 sequences at once, and the backward part computes nothing again`
impl fmt::Display for PlanState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sequences = if self.micro_batch == 1 { "1 sequence" } else { &format!("{} sequences", self.micro_batch) };
        let again =
            if self.recomputed.is_empty() { "nothing again" } else { &format!("again {}", self.recomputed.join(", ")) };
        write!(f, "at most {sequences} at once, and the backward part computes {again}")
    }
}

impl From<Decision> for PlanState {
    fn from(Decision { micro_batch, recomputed }: Decision) -> PlanState {
        PlanState { micro_batch, recomputed }
    }
}

impl StageState {
    /// A stage that has done nothing yet.
    pub fn new(index: usize, name: &str) -> StageState {
        StageState {
            index,
            name: name.to_string(),
            done: Done::default(),
            schedule: None,
            evaluation: None,
            plateau: Plateau::default(),
        }
    }

    /// What was measured tells nothing of the end of the stage any more.
    pub fn forget_measurements(&mut self) {
        (self.evaluation, self.plateau) = (None, Plateau::default());
    }
}

impl ScaleState {
    /// On its way as before, in a run that has done `now` updates, where it comes from one that had done `then`.
    pub fn taken_over(self, then: u64, now: u64) -> ScaleState {
        let later = now.wrapping_sub(then) as i64;
        let ramp = self.ramp.map(|ramp| Ramp { since: ramp.since.saturating_add(later), ..ramp });
        ScaleState { ramp, ..self }
    }
}

impl State {
    /// Before anything has been done: every row is born, every scale at its rule.
    pub fn new(model: &Model, sizes: &SizeValues, plan: PlanState) -> State {
        let (first, seed) = model.experiment.stages.first().map_or(("", 0), |stage| (&stage.name, stage.seed));
        State {
            version: VERSION,
            model: model.name.clone(),
            seed,
            done: Done::default(),
            stage: StageState::new(0, first),
            last_growth: None,
            tokens: tokens_by_path(model, sizes),
            rows: rows::lineages(model, sizes, 0, 0),
            scales: scales::by_rule(model, sizes),
            data: DataState { cursor: 0, hash: None },
            plan: Some(plan),
            changes: Vec::new(),
        }
    }

    pub fn read(path: &Path) -> Result<State> {
        State::of_json(&storage::read_text(path)?, path)
    }

    /// What a text of the file `path` says.
    pub fn of_json(text: &str, path: &Path) -> Result<State> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let foreign =
            |error| Failure::broken(path, format_args!("is not the state of a checkpoint ({error}); copy it again"));
        let Version { version } = serde_json::from_str(text).map_err(foreign)?;
        if version != VERSION {
            let what =
                format!("has version {version}, but this tfc reads version {VERSION}; use the tfc that wrote it");
            return Err(Failure::broken(path, what));
        }
        let state: State = serde_json::from_str(text).map_err(foreign)?;
        match state.rows.iter().find(|lineage| !lineage.is_sound()) {
            Some(Lineage { parameter, .. }) => {
                let what =
                    format!("does not say of each part of `{parameter}` how many updates it has seen; copy it again");
                Err(Failure::broken(path, what))
            }
            None => Ok(state),
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("names and finite numbers are JSON") + "\n"
    }

    /// The beginning of a run with what this one has learnt, but for its moments: its stage begins anew, and is planned anew.
    pub fn begun_anew(self) -> State {
        let then = self.done.steps;
        let mut rows = self.rows;
        rows.iter_mut().for_each(Lineage::forget_updates);
        State {
            done: Done::default(),
            stage: StageState::new(self.stage.index, &self.stage.name),
            rows,
            scales: self.scales.into_iter().map(|scale| scale.taken_over(then, 0)).collect(),
            data: DataState { cursor: 0, hash: None },
            plan: None,
            ..self
        }
    }

    /// Says of all rows that they are from before the first growth of a stage: what the stages of another spec did has no names in ours.
    pub fn forget_growth(&mut self, stage: usize) {
        let before = stage.saturating_sub(1);
        self.rows.iter_mut().flat_map(Lineage::segments_mut).for_each(|segment| segment.stage = before);
        self.last_growth = None;
    }

    /// The stage that it is in, of the model that it was written by.
    ///
    /// # Errors
    /// The model has no such stage: one of the two has been changed.
    pub fn stage_of<'m>(&self, model: &'m Model) -> Result<&'m Stage> {
        model.experiment.stages.get(self.stage.index).ok_or_else(|| {
            let what = format!("the checkpoint is in stage `{}`, which its spec does not have", self.stage.name);
            Failure::new(Kind::Broken, format!("{what}; one of the two was changed, copy it again"))
        })
    }

    /// The most sequences that go through the model at once.
    pub fn micro_batch(&self) -> u64 {
        self.plan.as_ref().map_or(1, |plan| plan.micro_batch)
    }

    /// The sizes of a session in this state.
    ///
    /// # Errors
    /// The state was written by a model with other token axes, or says what no model can have.
    pub fn sizes(&self, model: &Model, batch: u64) -> Result<SizeValues> {
        let mut tokens = Vec::new();
        for axis in &model.token_axes {
            let missing = || {
                let written = format!("the checkpoint was written by model `{}`", self.model);
                Failure::mistake(format!("{written}, which has no parameter tokens `{}`", axis.path))
            };
            let count = *self.tokens.get(&axis.path).ok_or_else(missing)?;
            if !(0..=MOST_TOKENS).contains(&count) {
                let what = format!("the checkpoint says that `{}` has {count} parameter tokens", axis.path);
                return Err(Failure::new(Kind::Broken, format!("{what}; it was changed, copy it again")));
            }
            tokens.push(count);
        }
        Ok(sizes_at(model, batch, &tokens))
    }
}
