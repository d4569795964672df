//! An official checkpoint becomes one of ours.

use super::places::{Place, places};
use super::source::Source;
use super::{Form, differences, scales};
use crate::checkpoint::{PlanState, RunFolder, StageState, State};
use crate::sizes::sizes_at;
use crate::{Failure, Result};
use std::path::{Path, PathBuf};
use tfc_compiler::model::Model;
use tfc_compiler::size::SizeValues;

/// A checkpoint that is known to be of the model.
pub struct Import<'a> {
    source: Source,
    model: &'a Model,
    sizes: SizeValues,
    places: Vec<Place>,
    state: State,
}

impl<'a> Import<'a> {
    /// Opens the file or folder `path` and compares it with the sizes that the model has in stage `index`.
    ///
    /// # Errors
    /// The file is broken or not of this model, or the official models are not of the spec's kind.
    pub fn open(path: &Path, form: Form, model: &'a Model, index: usize) -> Result<Import<'a>> {
        let stage = &model.experiment.stages[index];
        let sizes = sizes_at(model, 1, &stage.tokens);
        let places = places(model, &sizes)?;
        scales::check(model, &sizes, |scale| model.scales[scale].rule.eval(&sizes)).map_err(|reason| {
            Failure::mistake(format!("the spec's model is no official one: {reason}; use `theta = l2_gelu()`"))
        })?;
        let source = Source::open(path, form)?;
        differences::compare(&format!("`{}`", path.display()), &source.shapes()?, &places)?;
        let mut state = State::new(model, &sizes, PlanState::of(1));
        state.seed = stage.seed;
        state.plan = None;
        state.stage = StageState::new(index, &stage.name);
        Ok(Import { source, model, sizes, places, state })
    }

    /// Writes the first checkpoint of a run, tensor by tensor out of the mapped file. It has no moments: nothing has been trained.
    pub fn write(&self, into: &RunFolder, tokenizer: Option<&str>) -> Result<PathBuf> {
        self.source.verify()?;
        into.begin(self.model, &self.sizes, &self.state, tokenizer, |i| self.source.floats(&self.places[i].name))
    }
}
