//! Which plans one repetition of a work runs, at what sizes.

use crate::arguments::What;
use crate::workload::Workload;
use tfc_compiler::compiled::{Compiled, Entry};
use tfc_compiler::size::{SizeValues, Symbol};

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
    let [whole, rest] = parts(workload.batch_of(stage), workload.micro_batch(stage));
    let add = [(whole.0, whole.1 - 1), rest].into_iter().filter(|(_, times)| *times > 0);
    let mut calls = vec![call(Entry::Gradient, whole.0, 1)];
    calls.extend(add.map(|(rows, times)| call(Entry::AddGradient, rows, times)));
    calls.push(call(Entry::Update, 1, 1));
    calls
}

/// The micro-batches of a batch: how many sequences, how often. Of a large batch there are more than anybody wants to list.
fn parts(batch: u64, micro_batch: u64) -> [(u64, u64); 2] {
    let rest = batch % micro_batch;
    [(micro_batch, batch / micro_batch), (rest, u64::from(rest > 0))]
}

#[cfg(test)]
mod tests {
    use super::parts;
    use tfc_runtime::train::micro_batches;

    #[test]
    fn micro_batches_are_counted_as_a_training_makes_them() {
        for (batch, micro_batch) in [(1, 1), (7, 7), (8, 4), (8, 3), (5, 2), (100, 34)] {
            let counted = parts(batch, micro_batch).into_iter().flat_map(|(rows, times)| (0..times).map(move |_| rows));
            let made = micro_batches(batch, micro_batch).map(|(_, rows)| rows);
            assert!(counted.eq(made), "{batch} in parts of {micro_batch}");
        }
        assert_eq!(parts(1 << 53, 1 << 10), [(1 << 10, 1 << 43), (0, 0)]);
    }
}
