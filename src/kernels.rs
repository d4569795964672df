//! `tfc check --kernels`: the kernels for CUDA of a spec, run on the simulated device with the checker on.

use crate::session;
use std::sync::Arc;
use tfc_compiler::compile::compile;
use tfc_compiler::compiled::Entry;
use tfc_compiler::model::Model;
use tfc_runtime::bench::{Training, Work};
use tfc_runtime::{Failure, Result};

/// Sequences in the batch, one at a time: so that what adds to gradients runs too.
const BATCH: u64 = 2;

/// Runs one update of the first stage on random inputs; gives how many kernels that were.
///
/// # Errors
/// What the checker has found; or there is no code for a kernel, or nothing to train.
pub fn check(model: &Model) -> Result<usize> {
    let mut model = model.clone();
    let stage = model.experiment.stages.first_mut();
    let Some(recipe) = stage.and_then(|stage| stage.train.as_mut()) else {
        return Err(Failure::mistake("--kernels runs an update, and the first stage trains nothing"));
    };
    recipe.batch = BATCH;
    let entries = Entry::updates(&model);
    let compiled = Arc::new(compile(model, &entries));
    let mut session = session::on_cuda_sim(&compiled)?;
    let training = Training::new(&compiled, &mut session, 0, 1)?;
    Work::Training(Box::new(training)).run(&mut session)?;
    Ok(compiled.program.kernels.len())
}
