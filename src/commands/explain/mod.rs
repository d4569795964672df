//! `tfc explain`: where time and memory go. Every kernel with what was fused into it and why, what it computes and moves, how long it takes
//! here, and how near that is to what the machine can do; or, for a GPU, how long it takes there at least.

mod gpu;
pub mod measure;
mod memory;
mod reasons;
mod report;

use crate::arguments::{Explain, Format};
use crate::console::Console;
use crate::meter::Meter;
use crate::session::Device;
use crate::stop::Outcome;
use crate::target::Target;
use crate::workload::Workload;
use tfc_runtime::Failure;

pub fn run(command: &Explain, console: &Console) -> Outcome {
    match Target::named(&command.target)? {
        Target::Cuda(backend) => gpu::run(command, &backend, console),
        Target::Cpu(_) if command.target != "cpu" => Err(Failure::mistake(
            "only this processor can be measured; use --target cpu, predict a GPU, or measure one with --device cuda",
        )
        .into()),
        Target::Cpu(_) if command.device_name.is_some() => {
            Err(Failure::mistake("--device-name is of a GPU; use it with --target cuda").into())
        }
        Target::Cpu(_) => here(command, console),
    }
}

/// Measured on a device of this machine.
fn here(command: &Explain, console: &Console) -> Outcome {
    let device = Device::find(&command.work.device)?;
    let (workload, mut session, _) = Workload::open(&command.work, &device, console)?;
    let session = &mut *session;
    let meter = Meter::of(&device, workload.precision())?;
    let mut work = workload.work(session)?;
    workload.announce(&work, meter.flops()?, console)?;
    let measured = measure::measure(&workload.compiled, &mut work, session, command.repetitions, &|| meter.limits())?;
    let memory = memory::of(&workload.compiled, &measured.sizes, &session.memory(), workload.plan.clone());
    let (device, kernels) = (device.name(), &workload.compiled.program.kernels);
    let text = match command.format {
        Format::Text => report::text(&device, kernels, &measured, &memory),
        Format::Json => format!("{:#}\n", report::json(&device, kernels, &measured, &memory)),
    };
    Ok(console.print(&text)?)
}
