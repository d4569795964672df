//! What has changed in the spec of a run that is resumed, and what of it can be taken.
//!
//! | change | |
//! | --- | --- |
//! | stages not yet begun; of the present one its end, cadences and paths; what is past | taken and recorded |
//! | optimizer, schedule, rules, batch, precision, data, seed of the present stage | refused unless accepted |
//! | layers, fixed sizes, the present stage's parameter tokens | refused: another model can only start `from` a checkpoint |

mod layers;
mod recipe;

pub use layers::is_same_metric;

use crate::{Failure, Result};
use tfc_compiler::model::{Model, Stage};

/// Differences, each a line of text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub taken: Vec<String>,
    pub unless_accepted: Vec<String>,
    pub impossible: Vec<String>,
}

/// The most differences that an error lists.
const LINES: usize = 12;

/// What a recipe's field may do while its stage goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Free,
    OnlyAccepted,
    Impossible,
}

/// One field of a stage in words.
struct Field {
    name: &'static str,
    value: String,
    change: Change,
}

/// Compares the spec that a run stands by with the one it is resumed with; `present` is the stage it is in.
pub fn compare(before: &Model, after: &Model, present: usize) -> Changes {
    let mut changes = Changes { impossible: layers::differences(before, after), ..Changes::default() };
    let [old, new] = [before, after].map(|model| &model.experiment);
    if old.seed != new.seed {
        changes.taken.push(format!("seed of the first parameters = {} (was {})", new.seed, old.seed));
    }
    for i in 0..old.stages.len().max(new.stages.len()) {
        match (old.stages.get(i), new.stages.get(i)) {
            (Some(a), Some(b)) => changes.stage([before, after], [a, b], i == present),
            (Some(gone), None) if i <= present => {
                changes.impossible.push(format!("stage `{}`, which the run has begun, is gone", gone.name));
            }
            (Some(gone), None) => changes.taken.push(format!("stage `{}` is gone", gone.name)),
            (None, Some(added)) => changes.taken.push(format!("stage `{}` is added", added.name)),
            (None, None) => {}
        }
    }
    changes
}

impl Changes {
    /// What is taken, to be recorded; an error with everything that is refused.
    pub fn take(self, accept: bool) -> Result<Vec<String>> {
        let list = |changes: &[String]| {
            let more = changes.len().saturating_sub(LINES);
            let said = changes.iter().take(LINES).map(|change| format!("\n  {change}")).collect::<String>();
            if more == 0 { said } else { format!("{said}\n  and {more} more") }
        };
        if !self.impossible.is_empty() {
            let why = "the run cannot be resumed with another model";
            let way_out = "start a new run with a stage that says `from = CHECKPOINT`";
            return Err(Failure::mistake(format!("{why}; {way_out}. What changed:{}", list(&self.impossible))));
        }
        if !self.unless_accepted.is_empty() && !accept {
            let why = "the spec changed in what the present stage does";
            let way_out = "undo it, or add `--accept-changes` to go on with it";
            return Err(Failure::mistake(format!("{why}; {way_out}. What changed:{}", list(&self.unless_accepted))));
        }
        Ok([self.taken, self.unless_accepted].concat())
    }

    fn stage(&mut self, models: [&Model; 2], [before, after]: [&Stage; 2], present: bool) {
        if before.name != after.name {
            let list = if present { &mut self.unless_accepted } else { &mut self.taken };
            list.push(format!("stage `{}` is called `{}`", before.name, after.name));
        }
        let [old, new] = [(models[0], before), (models[1], after)].map(|(model, stage)| recipe::fields(model, stage));
        for (old, new) in old.iter().zip(&new).filter(|(old, new)| old.value != new.value) {
            let list = match (present, new.change) {
                (false, _) | (_, Change::Free) => &mut self.taken,
                (true, Change::OnlyAccepted) => &mut self.unless_accepted,
                (true, Change::Impossible) => &mut self.impossible,
            };
            let [old_value, new_value] = [old, new].map(|field| shortened(&field.value));
            list.push(format!("stage `{}`: {} = {new_value} (was {old_value})", after.name, new.name));
        }
    }
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 120;
    if text.chars().count() <= LONGEST {
        return text.to_string();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
