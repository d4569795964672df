//! `tfc explain`: where time and memory go. Every kernel with what was fused into it and why, what it computes and moves, how long it takes
//! here, and how near that is to what the machine can do.

mod measure;
mod memory;
mod reasons;
mod report;

use crate::arguments::{Explain, Format};
use crate::console::Console;
use crate::session;
use crate::stop::Outcome;
use crate::workload::Workload;
use measure::Limits;
use tfc_codegen::Peak;
use tfc_runtime::device::Session;
use tfc_runtime::{Failure, Kind};

/// What is read to measure the bandwidth of memory: far larger than any cache.
const BUFFER: usize = 256 << 20;

pub fn run(command: &Explain, console: &Console) -> Outcome {
    let threads = session::threads(command.work.threads)?;
    let (workload, mut session, _) = Workload::open(&command.work, console)?;
    let peak = Peak::new(workload.precision()).map_err(|error| Failure::new(Kind::Machine, error.to_string()))?;
    let limits = Limits { flops: peak.of_threads(threads), bytes: peak.reading(threads, BUFFER) };
    let mut work = workload.work(&mut session)?;
    let measured = measure::measure(&workload.compiled, &mut work, &mut session, command.repetitions, &limits)?;
    let memory = memory::of(&workload.compiled, &measured.sizes, &session.memory(), workload.plan.clone());
    let kernels = &workload.compiled.program.kernels;
    let text = match command.format {
        Format::Text => report::text(kernels, &measured, &limits, &memory),
        Format::Json => format!("{:#}\n", report::json(kernels, &measured, &limits, &memory)),
    };
    Ok(console.print(&text)?)
}
