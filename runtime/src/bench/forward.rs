//! Forward passes: the logits of a batch.

use super::inputs::RandomInputs;
use super::{begin, positions};
use crate::device::{Named, Session};
use crate::train::Batches;
use crate::{Result, call};
use tfc_compiler::compiled::Compiled;
use tfc_compiler::size::Symbol;

pub struct Forward {
    inputs: Vec<Named>,
    batch: u64,
    positions: u64,
}

/// What a forward pass runs.
const ENTRY: &str = "named";

impl Forward {
    /// The bindings that the model was compiled with, at the sizes of a stage.
    ///
    /// # Errors
    /// There is too little memory.
    pub fn new(compiled: &Compiled, session: &mut dyn Session, stage: usize, batch: u64) -> Result<Forward> {
        let model = &compiled.model;
        begin(model, session, stage, batch)?;
        let offered = RandomInputs::new(model, session.sizes()).inputs(0, batch)?;
        let inputs = call::inputs(call::graph(compiled, ENTRY)?, session, batch, offered)?;
        Ok(Forward { inputs, batch, positions: positions(model) })
    }

    pub(super) fn run(&mut self, session: &mut dyn Session) -> Result<()> {
        session.run_and_look(ENTRY, &[(Symbol::BATCH, self.batch as i64)], &self.inputs, &mut |_, _| ())
    }

    pub(super) fn tokens(&self) -> u64 {
        self.batch * self.positions
    }
}
