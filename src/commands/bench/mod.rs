//! `tfc bench`: tokens per second of training, a forward pass or decoding, against what the machine can do.

mod paced;
mod report;
mod tune;

use crate::arguments::{Bench, Format, What};
use crate::console::Console;
use crate::memory;
use crate::meter::Meter;
use crate::session::Device;
use crate::stop::Outcome;
use crate::workload::Workload;
use report::{Bandwidth, On, Report, Touched};
use std::collections::BTreeMap;
use tfc_codegen::CpuBackend;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::executable::Backend;
use tfc_compiler::kernel::Body;
use tfc_compiler::plan::{self, Place, operations};
use tfc_compiler::precision::Precision;
use tfc_compiler::size::{SizeValues, Symbol};
use tfc_compiler::storage::Storage;
use tfc_runtime::bench::{Samples, Work, repeat};

pub fn run(command: &Bench, console: &Console) -> Outcome {
    let device = Device::find(&command.work.device)?;
    if command.tune {
        return tune::run(command, &device, console);
    }
    if command.paced {
        return paced::run(command, &device, console);
    }
    let (workload, mut session, compile_seconds) = Workload::open(&command.work, &device, console)?;
    let session = &mut *session;
    let meter = Meter::of(&device, workload.precision())?;
    let peak_flops = meter.flops()?;
    let compiled = &workload.compiled;
    let weights = match workload.what {
        What::Train | What::Forward => BTreeMap::new(),
        What::Decode => weights_read(compiled, workload.precision(), &compiled.model.stage_sizes(workload.stage)),
    };
    let weight_bytes: u64 = weights.values().sum();
    let mut bandwidths: Vec<f64> = meter.copying(weight_bytes)?.into_iter().collect();
    let on = match &device {
        Device::Cpu { threads } => On::Processor { threads: *threads, target: CpuBackend::new().target() },
        Device::Cuda { .. } | Device::CudaSim | Device::Reference => On::Gpu(device.name()),
    };
    // What tensors take of this process is seen only where they are in its memory.
    let resident = || if matches!(device, Device::Cpu { .. }) { memory::resident() } else { None };
    let before = resident();
    let mut work = workload.work(session)?;
    workload.announce(&work, peak_flops, console)?;
    let times = repeat(&mut work, session, command.repetitions, &mut |session| {
        bandwidths.extend(meter.reading(session, weights.keys()));
    })?;
    let report = Report {
        spec: command.work.spec.spec.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
        what: workload.what,
        batch: workload.batch,
        positions: compiled.model.context,
        precision: workload.precision(),
        on,
        peak_flops,
        compile_seconds,
        kernels: compiled.program.kernels.len(),
        tokens: work.tokens(),
        flops: workload.flops(&work),
        bandwidth: match &work {
            Work::Decoding(decoding) if !bandwidths.is_empty() => {
                let caches = cache_bytes(compiled, session.sizes(), decoding.positions());
                Some(Bandwidth { bytes: weight_bytes + caches, peak: Samples::new(bandwidths).median() })
            }
            Work::Training(_) | Work::Forward(_) | Work::Decoding(_) => None,
        },
        losses: match &work {
            Work::Training(training) => training.losses.clone(),
            Work::Forward(_) | Work::Decoding(_) => Vec::new(),
        },
        times,
        session: session.memory(),
        resident: before.zip(resident()).map(|(before, after)| Touched {
            before: before.all,
            touched: after.anonymous.saturating_sub(before.anonymous),
        }),
        peak_memory: before.and_then(|_| memory::peak_resident()),
    };
    let text = match command.format {
        Format::Text => report.text(),
        Format::Json => format!("{:#}\n", report.json()),
    };
    Ok(console.print(&text)?)
}

/// The weights that decoding a token reads as a whole, with their bytes as they are stored: all but tables of which it looks up a row.
fn weights_read(compiled: &Compiled, precision: Precision, sizes: &SizeValues) -> BTreeMap<Storage, u64> {
    let program = &compiled.program;
    let index = program.plan("decode", precision).expect("bug in tfc: decoding was compiled without it");
    let plan = &program.plans[index];
    let sizes = sizes.clone().with(Symbol::BATCH, 1).with(Symbol::SEQUENCE, 1);
    let mut weights = BTreeMap::new();
    for operation in operations(program, plan, &sizes) {
        if let plan::What::Launch(launch) = operation.what
            && !matches!(program.kernels[launch.kernel as usize].body, Body::Gather(_))
        {
            for buffer in launch.arguments.iter().map(|argument| &plan.buffers[argument.buffer.0 as usize]) {
                if let Place::Storage(storage @ (Storage::Parameter(_) | Storage::Weight(..))) = buffer.place {
                    weights.insert(storage, buffer.bytes(&sizes));
                }
            }
        }
    }
    weights
}

/// Keys and values at so many positions.
fn cache_bytes(compiled: &Compiled, sizes: &SizeValues, positions: f64) -> u64 {
    let one = sizes.clone().with(Symbol::CAPACITY, 1);
    let each: i64 = compiled.caches.iter().map(|ty| 4 * ty.elements().eval(&one)).sum();
    (each as f64 * positions) as u64
}
