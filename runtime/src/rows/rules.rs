//! From the rules of a stage to the treatment of the rows of one segment.

use super::Segment;
use tfc_compiler::model::{Parameter, Rows, TrainRecipe};

/// Parameter-token rows from before and since the last growth; everything else, and everything before a first growth, is
/// neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    Old,
    New,
}

impl Age {
    /// `last_growth`: the stage that grew last.
    pub fn of(segment: &Segment, parameter: &Parameter, last_growth: Option<usize>) -> Option<Age> {
        let last_growth = last_growth.filter(|_| !parameter.grows.is_empty())?;
        Some(if segment.stage == last_growth { Age::New } else { Age::Old })
    }
}

/// How rows are trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Treatment {
    pub trainable: bool,
    /// The factor on the learning rate.
    pub lr: f64,
    pub decay: f64,
}

/// The treatment of rows of this age in parameter `index`: the recipe's own, then every rule that matches, later ones over
/// earlier ones.
pub fn treatment(recipe: &TrainRecipe, index: usize, parameter: &Parameter, age: Option<Age>) -> Treatment {
    let decay = if parameter.role.decays() { recipe.optimizer.decay } else { 0.0 };
    let mut treatment = Treatment { trainable: true, lr: 1.0, decay };
    let matches = |rows| match rows {
        Rows::All => true,
        Rows::Old => age == Some(Age::Old),
        Rows::New => age == Some(Age::New),
    };
    for rule in recipe.rules.iter().filter(|rule| rule.parameters.contains(&index) && matches(rule.rows)) {
        treatment.lr = rule.lr.unwrap_or(treatment.lr);
        treatment.decay = rule.decay.unwrap_or(treatment.decay);
        treatment.trainable = rule.freeze.map_or(treatment.trainable, |freeze| !freeze);
    }
    treatment
}
