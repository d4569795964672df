//! `tfc check --kernels`: the kernels for CUDA of a spec, run on the simulated device with the checker on.

use crate::session;
use std::sync::Arc;
use tfc_compiler::compile::compile_for_gpu;
use tfc_compiler::compiled::Entry;
use tfc_compiler::lower::can_decode;
use tfc_compiler::model::Model;
use tfc_runtime::bench::{Decoding, RandomInputs, Training, Work};
use tfc_runtime::device::Session;
use tfc_runtime::evaluate::evaluate;
use tfc_runtime::{Failure, Result};

/// Sequences in the batch, one at a time: so that what adds to gradients runs too.
const BATCH: u64 = 2;

/// Of a prompt, more than few, and after it: attention to a cache has a way for either.
const PROMPT: u64 = 40;
const TOKENS: u64 = 2;

/// For each stage that trains, an update, an evaluation and a few tokens of a text, all at its sizes and on random inputs; gives how many kernels that were.
///
/// # Errors
/// What the checker has found; or there is no code for a kernel, or nothing to train.
pub fn check(model: &Model) -> Result<usize> {
    let mut model = model.clone();
    let mut trained = Vec::new();
    for (i, stage) in model.experiment.stages.iter_mut().enumerate() {
        if let Some(recipe) = &mut stage.train {
            recipe.batch = BATCH;
            trained.push(i);
        }
    }
    if trained.is_empty() {
        return Err(Failure::mistake("--kernels runs updates, and no stage trains anything"));
    }
    let decodes = can_decode(&model).is_ok();
    let entries = [Entry::updates(&model), vec![Entry::Evaluate], if decodes { vec![Entry::Decode] } else { vec![] }];
    let compiled = Arc::new(compile_for_gpu(model, &entries.concat()));
    let mut session = session::on_cuda_sim(&compiled)?;
    for stage in trained {
        let training = Training::new(&compiled, &mut session, stage, 1)?;
        Work::Training(Box::new(training)).run(&mut session)?;
        let inputs = RandomInputs::new(&compiled.model, session.sizes());
        evaluate(&compiled, &mut session, &inputs, 1, 1, &mut |_, _| Ok(()))?;
        if decodes {
            let mut decoding = Work::Decoding(Decoding::of(&compiled, &mut session, stage, (PROMPT, TOKENS))?);
            decoding.prepare(&mut session)?;
            decoding.run(&mut session)?;
        }
    }
    Ok(compiled.program.kernels.len())
}
