//! `tfc grow`: one stage's growth applied to a checkpoint, by hand.

use crate::arguments::Grow;
use crate::console::Console;
use crate::stop::Outcome;
use crate::{session, spec, stage};
use std::sync::Arc;
use tfc_compiler::compile::{compile, compile_for_gpu};
use tfc_compiler::compiled::Entry;
use tfc_runtime::checkpoint::{self, RunFolder};
use tfc_runtime::grow::{Measure, grow_by_hand};
use tfc_runtime::source;

/// Sequences that the function is measured on before and after.
const MEASURED: u64 = 8;

pub fn run(command: &Grow, console: &Console) -> Outcome {
    let from = checkpoint::locate(&command.checkpoint)?;
    let spec = match &command.spec {
        Some(path) => spec::load(path, &[], console)?,
        None => spec::of_checkpoint(&from, console)?,
    };
    let index = stage::find(&spec.model, Some(&command.stage))?;
    let mut entries = vec![Entry::Gradient, Entry::Update, Entry::Evaluate];
    entries.push(Entry::Named(spec.model.program.answers()));
    let compile = if command.device.device.is_gpu() { compile_for_gpu } else { compile };
    let compiled = Arc::new(compile(spec.model.clone(), &entries));
    let mut session = session::open(&compiled, &command.device)?;
    let into = RunFolder::create(&command.out, &spec.resolved)?;

    // Without its data the growth is made all the same; only nothing is measured.
    let data = source::open(&compiled.model, &compiled.model.experiment.stages[index], None);
    if let Err(failure) = &data {
        console.say(&format!("not measured, for want of data: {failure}"));
    }
    let data = data.ok();
    let measure = data.as_ref().map(|data| Measure { batches: data.probe(), rows: MEASURED, micro_batch: MEASURED });
    let grow = |into: &RunFolder| grow_by_hand(&compiled, session.as_mut(), &from, index, measure.as_ref(), into);
    let (grown, path) = into.filled(grow)?;
    console.say(&grown.to_string());
    console.print(&format!("{}\n", path.display()))?;
    Ok(())
}
