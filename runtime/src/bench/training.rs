//! Training steps: gradient, clipping and AdamW, as a run does them.

use super::inputs::RandomInputs;
use super::{begin, positions};
use crate::Result;
use crate::checkpoint::State;
use crate::device::Session;
use crate::train::{Course, StageData, Update};
use tfc_compiler::compiled::Compiled;

pub struct Training<'a> {
    compiled: &'a Compiled,
    state: State,
    course: Course<'a>,
    /// Of every update so far: they show that a model is trained.
    pub losses: Vec<f64>,
}

impl<'a> Training<'a> {
    /// The updates of a stage, at most `micro_batch` sequences at once.
    ///
    /// # Errors
    /// The stage does not train, or there is too little memory.
    pub fn new(
        compiled: &'a Compiled,
        session: &mut dyn Session,
        stage: usize,
        micro_batch: u64,
    ) -> Result<Training<'a>> {
        let mut state = begin(&compiled.model, session, stage, micro_batch)?;
        let train = Box::new(RandomInputs::new(&compiled.model, session.sizes()));
        let data = StageData { train, validate: Vec::new(), tokenizer: None };
        let course = Course::new(compiled, session, &mut state, data, &[])?;
        Ok(Training { compiled, state, course, losses: Vec::new() })
    }

    pub(super) fn run(&mut self, session: &mut dyn Session) -> Result<()> {
        let Training { compiled, state, course, losses } = self;
        losses.push(Update { compiled, session, state, course }.run()?.loss);
        Ok(())
    }

    pub(super) fn tokens(&self) -> u64 {
        self.course.recipe.batch * positions(&self.compiled.model)
    }
}
