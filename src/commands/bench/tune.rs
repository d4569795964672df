//! `tfc bench --tune`: the tiles of matrix products, each timed on a GPU at the sizes of the work; the fastest are kept.
//!
//! In each round the work is done with another tile of every kernel, so that a kernel is timed among the others, as it will run.

use crate::arguments::{Bench, Format};
use crate::commands::explain::measure::{Line, measure};
use crate::console::Console;
use crate::meter::Limits;
use crate::session::{self, Device};
use crate::stop::Outcome;
use crate::tuned;
use crate::workload::Workload;
use serde_json::{Value, json};
use std::path::Path;
use tfc_codegen::cuda::Tile;
use tfc_runtime::Failure;
use tfc_runtime::device::Gpu;

/// A kernel with a choice.
struct Tuned {
    kernel: u32,
    launches: u64,
    labels: Vec<String>,
    /// In seconds of one repetition of the work: first that of the cost model's choice.
    times: Vec<(Tile, f64)>,
}

impl Tuned {
    /// Of equal ones the first.
    fn fastest(&self) -> (Tile, f64) {
        let shorter = |a: (Tile, f64), b: (Tile, f64)| if b.1 < a.1 { b } else { a };
        self.times.iter().copied().reduce(shorter).expect("bug in tfc: no tile was timed")
    }
}

pub fn run(command: &Bench, device: &Device, console: &Console) -> Outcome {
    let Device::Cuda { gpu, .. } = device else {
        return Err(Failure::mistake("tiles are tuned on a GPU; use --tune with --device cuda").into());
    };
    // Before anything is timed for nothing.
    tuned::path(gpu)?;
    let workload = Workload::compile(&command.work, command.work.device.device, device.free_memory()?, console)?;
    let kernels = time(command, gpu, &workload, console)?;
    let fastest: Vec<(u32, Tile)> = kernels.iter().map(|tuned| (tuned.kernel, tuned.fastest().0)).collect();
    let path = tuned::keep(gpu, &workload.compiled, workload.stage, &fastest)?;
    let text = match command.format {
        Format::Text => text(&device.name(), &kernels, &path),
        Format::Json => format!("{:#}\n", document(&device.name(), &kernels, &path)),
    };
    Ok(console.print(&text)?)
}

/// What takes longest comes first.
fn time(
    command: &Bench,
    gpu: &Gpu,
    workload: &Workload,
    console: &Console,
) -> std::result::Result<Vec<Tuned>, crate::stop::Stop> {
    let (compiled, backend) = (&workload.compiled, session::backend_of(gpu)?);
    let tiles: Vec<Vec<Tile>> = compiled.program.kernels.iter().map(|kernel| backend.tiles(kernel)).collect();
    let rounds = tiles.iter().map(Vec::len).max().unwrap_or(0);
    let mut kernels: Vec<Tuned> = Vec::new();
    for round in 0..rounds {
        console.say(&format!("round {} of {rounds}", round + 1));
        let with_choice = compiled.program.kernels.iter().zip(&tiles);
        let choices = with_choice.filter_map(|(kernel, tiles)| Some((kernel.clone(), *tiles.get(round)?))).collect();
        let mut session = session::on_cuda(compiled, gpu, &backend.with_tiles(choices))?;
        let mut work = workload.work(&mut session)?;
        let measured = measure(compiled, &mut work, &mut session, command.repetitions, &|| Ok(Limits::none()))?;
        for (launched, Line { launches, seconds, labels, .. }) in measured.lines {
            let Some((kernel, tile)) =
                launched.kernel.and_then(|kernel| Some((kernel, *tiles[kernel as usize].get(round)?)))
            else {
                continue;
            };
            match kernels.iter_mut().find(|tuned| tuned.kernel == kernel) {
                Some(tuned) => tuned.times.push((tile, seconds)),
                None => kernels.push(Tuned { kernel, launches, labels, times: vec![(tile, seconds)] }),
            }
        }
    }
    Ok(kernels)
}

/// Of 1.
fn gain(before: f64, after: f64) -> f64 {
    if before > 0.0 { 1.0 - after / before } else { 0.0 }
}

fn text(device: &str, kernels: &[Tuned], path: &Path) -> String {
    let mut text = format!("{device}\n\nkernel  launches  tiles         ms     to ms    gain  from and to, what\n");
    let mut row = |name: &str, launches: u64, tiles: usize, [before, after]: [f64; 2], what: &str| {
        let cells = format!(
            "{name:<6}  {launches:>8}  {tiles:>5}  {:>9.3}  {:>8.3}  {:>5.1}%  {what}",
            1e3 * before,
            1e3 * after,
            100.0 * gain(before, after)
        );
        text += &format!("{}\n", cells.trim_end());
    };
    for tuned in kernels {
        let ((before, first), (after, shortest)) = (tuned.times[0], tuned.fastest());
        let change = if before == after { before.to_string() } else { format!("{before} → {after}") };
        let what = format!("{change}: {}", tuned.labels.first().map_or("", String::as_str));
        row(&format!("k{}", tuned.kernel), tuned.launches, tuned.times.len(), [first, shortest], &what);
    }
    let all = |time: &dyn Fn(&Tuned) -> f64| kernels.iter().map(time).sum();
    let launches = kernels.iter().map(|tuned| tuned.launches).sum();
    let tiles = kernels.iter().map(|tuned| tuned.times.len()).sum();
    row("all", launches, tiles, [all(&|tuned| tuned.times[0].1), all(&|tuned| tuned.fastest().1)], "");
    text + &format!("\nkept in {}\n", path.display())
}

fn document(device: &str, kernels: &[Tuned], path: &Path) -> Value {
    let timed = |(tile, seconds): (Tile, f64)| json!({ "tile": tile.to_string(), "seconds": seconds });
    let kernel = |tuned: &Tuned| {
        json!({
            "kernel": tuned.kernel,
            "launches": tuned.launches,
            "labels": tuned.labels,
            "model": timed(tuned.times[0]),
            "fastest": timed(tuned.fastest()),
            "tiles": tuned.times.iter().copied().map(timed).collect::<Vec<_>>(),
        })
    };
    json!({ "device": device, "kernels": kernels.iter().map(kernel).collect::<Vec<_>>(), "kept": path.display().to_string() })
}
