//! Which plans one repetition of a work runs, at what sizes.

use crate::arguments::What;
use crate::workload::Workload;
use tfc_compiler::compiled::{Compiled, Entry};
use tfc_compiler::size::{SizeValues, Symbol};
use tfc_runtime::train::micro_batches;

#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// An entry, in the precision of the stage.
    pub entry: &'static str,
    pub stage: usize,
    pub sizes: SizeValues,
    /// How often.
    pub times: u64,
}

impl Call {
    /// Of a program that has the entry.
    pub fn plan(&self, compiled: &Compiled) -> usize {
        let precision = compiled.model.stage_precision(self.stage);
        compiled.program.plan(self.entry, precision).expect("bug in tfc: an entry was not compiled")
    }
}

/// What a token finds in the cache: as in what `tfc bench` times.
const CAPACITY: i64 = 192;

/// An update of a stage, a forward pass of a batch, or one token more.
pub fn calls(workload: &Workload, stage: usize) -> Vec<Call> {
    let model = &workload.compiled.model;
    let positions = model.context.unwrap_or(1);
    let sizes = model.stage_sizes(stage).with(Symbol::SEQUENCE, positions);
    let call = |entry: Entry, rows: u64, times: u64| Call {
        entry: entry.name(),
        stage,
        sizes: sizes.clone().with(Symbol::BATCH, rows as i64),
        times,
    };
    match workload.what {
        What::Train => update(workload, stage, &call),
        What::Forward => vec![call(Entry::Named(Vec::new()), workload.batch, 1)],
        What::Decode => {
            let mut token = call(Entry::Decode, 1, 1);
            token.sizes = token.sizes.with(Symbol::SEQUENCE, 1).with(Symbol::CAPACITY, CAPACITY.min(positions));
            vec![token]
        }
    }
}

/// The first micro-batch writes gradients, the others add to them: all are equally large but perhaps the last.
fn update(workload: &Workload, stage: usize, call: &dyn Fn(Entry, u64, u64) -> Call) -> Vec<Call> {
    let batch = workload.batch_of(stage);
    let parts: Vec<u64> = micro_batches(batch, workload.micro_batch(stage)).map(|(_, rows)| rows).collect();
    let mut calls = vec![call(Entry::Gradient, parts[0], 1)];
    for part in parts[1..].chunk_by(|a, b| a == b) {
        calls.push(call(Entry::AddGradient, part[0], part.len() as u64));
    }
    calls.push(call(Entry::Update, 1, 1));
    calls
}
