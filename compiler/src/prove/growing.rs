//! What the prover is told of one growth: the sizes on both sides, what the new rows of each parameter hold, and what
//! becomes of the scales.

use crate::model::{Amount, Drawn, GrowthInit, Init, Model, Parameter, Role, Scale, ScalePolicy};
use crate::size::{Size, SizeValues};

/// One growth, as facts about the graph's sources.
#[derive(Clone, Debug)]
pub struct Growing {
    /// Before, less the rows that are taken away.
    pub old: SizeValues,
    pub new: SizeValues,
    /// By index into `Model::parameters`; of one that does not grow, whatever.
    pub rows: Vec<NewRows>,
    /// What is added to copies, relative to them.
    pub noise: f64,
    /// By index into `Model::scales`.
    pub scales: Vec<ScaleChange>,
    /// An axis that loses tokens, by its path.
    pub pruned: Option<String>,
}

/// What a parameter holds at its new indices.
#[derive(Clone, Debug, PartialEq)]
pub enum NewRows {
    /// One number; and its origin in words: `new keys are zero`.
    Number(f64, String),
    /// Every row stands there equally often.
    Copies,
    /// As [`NewRows::Copies`], and every row, the old ones too, is divided by how often it stands there.
    DividedCopies,
    /// Numbers drawn at random; and what they are in words: `new keys are random`.
    Drawn(String),
}

/// A scale after the growth, against the one before.
#[derive(Clone, Debug, PartialEq)]
pub enum ScaleChange {
    /// Its rule does not depend on what grows.
    None,
    /// It stays the number it was although its rule says another; for good, or at first, to be retuned over so many steps.
    Kept { retuned_over: Option<u64> },
    Moves {
        factor: f64,
        /// `sqrt(n)`
        rule: String,
    },
    /// It goes to its rule from wherever a retuning that may not be done had brought it.
    Unknown,
}

impl Growing {
    /// The growth from the stage before into `stage`, if there is one.
    pub fn into_stage(model: &Model, stage: usize) -> Option<Growing> {
        let growth = model.experiment.stages[stage].growth.as_ref()?;
        let before = stage.checked_sub(1)?;
        let (mut old, new) = (model.stage_sizes(before), model.stage_sizes(stage));
        let mut pruned = None;
        for axis in &model.token_axes {
            let tokens = new.get(axis.symbol);
            if tokens < old.get(axis.symbol) {
                old.set(axis.symbol, tokens);
                pruned.get_or_insert_with(|| axis.path.clone());
            }
        }
        let rows = model.parameters.iter().map(|parameter| new_rows(parameter, &growth.init, &new)).collect();
        let retuned_over = match growth.scale {
            ScalePolicy::Retune { over } if over > 0 => Some(over),
            ScalePolicy::Keep | ScalePolicy::Retune { .. } => None,
        };
        let (was, is) = (model.stage_scales(before), model.stage_scales(stage).at_start);
        // What is kept is the same, whatever it was.
        let is_known = was.is_known || growth.scale != ScalePolicy::Retune { over: 0 };
        let change = |((scale, was), is): ((&Scale, &f64), &f64)| {
            let follows = scale.rule.eval(&new);
            match (was == is, follows == *is) {
                _ if !is_known => ScaleChange::Unknown,
                (true, true) => ScaleChange::None,
                (true, false) => ScaleChange::Kept { retuned_over },
                (false, _) => ScaleChange::Moves { factor: is / was, rule: rule_text(&scale.rule, model) },
            }
        };
        let scales = model.scales.iter().zip(&was.settled).zip(&is).map(change).collect();
        let noise = match growth.init {
            GrowthInit::Split { noise } => noise,
            GrowthInit::New { .. } => 0.0,
        };
        Some(Growing { old, new, rows, noise, scales, pruned })
    }

    /// How many times larger the size becomes, if it changes.
    pub(super) fn ratio(&self, size: &Size) -> Option<f64> {
        let (old, new) = (size.eval(&self.old), size.eval(&self.new));
        (old != new).then(|| new as f64 / old as f64)
    }

    /// The axes that grow, and by what factor.
    pub(super) fn axes(&self, shape: &[Size]) -> Vec<(usize, f64)> {
        shape.iter().enumerate().filter_map(|(axis, size)| Some((axis, self.ratio(size)?))).collect()
    }
}

/// A rule over one number of tokens speaks of `n`; of several, by their names.
fn rule_text(rule: &Amount, model: &Model) -> String {
    rule.display(&|size| match size.as_symbol() {
        Some(_) => "n".into(),
        None => size.display(&model.symbols).to_string(),
    })
}

fn new_rows(parameter: &Parameter, init: &GrowthInit, sizes: &SizeValues) -> NewRows {
    let (keys, values) = match init {
        GrowthInit::New { keys, values } => (keys, values),
        GrowthInit::Split { .. } => {
            return match parameter.role {
                Role::Values => NewRows::DividedCopies,
                Role::Keys
                | Role::Embedding
                | Role::Linear
                | Role::Positions
                | Role::NormWeight
                | Role::NormBias
                | Role::Bias
                | Role::Free => NewRows::Copies,
            };
        }
    };
    let (what, chosen) = match parameter.role {
        Role::Keys => ("keys", keys),
        Role::Values => ("values", values),
        Role::Embedding
        | Role::Linear
        | Role::Positions
        | Role::NormWeight
        | Role::NormBias
        | Role::Bias
        | Role::Free => ("rows", &Drawn::AsModel),
    };
    let random = || NewRows::Drawn(format!("new {what} are random"));
    let drawn = |spread: &Amount| match spread.eval(sizes) {
        0.0 => NewRows::Number(0.0, format!("new {what} are zero")),
        _ => random(),
    };
    let init = match chosen {
        Drawn::AsModel => &parameter.init,
        Drawn::AsOld => return random(),
        Drawn::From(init) => init,
    };
    match init {
        Init::Zero => NewRows::Number(0.0, format!("new {what} are zero")),
        Init::One => NewRows::Number(1.0, format!("new {what} are one")),
        Init::Normal { std } => drawn(std),
        Init::Uniform { bound } => drawn(bound),
    }
}
