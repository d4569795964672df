//! What is predicted, as tables and as JSON.

use super::roofline::{Line, sum};
use super::training::StageLine;
use super::{KernelFacts, Prediction};
use serde_json::{Value, json};
use std::fmt::Write;
use tfc_compiler::precision::Precision;
use tfc_compiler::quantity::bytes;

/// Labels of one kernel that the text shows.
const LABELS: usize = 3;

pub fn text(prediction: &Prediction) -> String {
    let mut text = limits(prediction) + "\n";
    text += &times(prediction);
    text += "\n";
    text += &totals(prediction);
    if !prediction.stages.is_empty() {
        text += "\nstage           precision  batch  at once  ms/step  tokens/s    memory  steps    hours\n";
        prediction.stages.iter().for_each(|stage| text += &stage_text(stage));
    }
    text += "\n";
    for (kernel, line) in &prediction.lines {
        if let Some(index) = kernel {
            text += &one_kernel(*index, &prediction.kernels[*index as usize], line);
        }
    }
    text
}

fn limits(prediction: &Prediction) -> String {
    let gpu = &prediction.gpu;
    let [bf16, tf32] = [Precision::Bf16, Precision::F32].map(|precision| gpu.product_flops_per_s(precision) / 1e12);
    format!(
        "{}, code for {}: {} multiprocessors at {:.0} MHz; mma.sync {bf16:.0} TFLOP/s of bf16, {tf32:.0} of tf32; f32 {:.0} TFLOP/s; \
         {:.0} GB/s, {} GB, {} of cache\n",
        gpu.title,
        prediction.target,
        gpu.multiprocessors,
        gpu.clock_hz / 1e6,
        gpu.scalar_flops_per_s() / 1e12,
        gpu.memory_bytes_per_s / 1e9,
        gpu.memory_bytes / 1_000_000_000,
        bytes(gpu.cache_bytes),
    )
}

/// The table: what takes longest comes first.
fn times(prediction: &Prediction) -> String {
    let registers =
        if prediction.assembled { "registers: ptxas's" } else { "no ptxas: registers as the cost model expects" };
    let mut text = format!("every time is the roofline's, the least that there can be; {registers}\n");
    text += "kernel  launches  threads  registers   shared  blocks  occupancy    GFLOP       GB        ms  share  bound         what\n";
    let all = sum(&prediction.lines);
    for (kernel, line) in &prediction.lines {
        let labels = line.labels.iter().take(LABELS).cloned().collect::<Vec<_>>().join("; ");
        let more = if line.labels.len() > LABELS { "; …" } else { "" };
        let facts = kernel.map(|kernel| &prediction.kernels[kernel as usize]);
        let taken = facts.map_or_else(
            || format!("{:>7}  {:>9}  {:>7}  {:>6}  {:>9}", "", "", "", "", ""),
            |facts| {
                let resources = facts.resources;
                let occupancy = 100.0 * facts.occupancy;
                format!(
                    "{:>7}  {:>9}  {:>7}  {:>6}  {occupancy:>8.0}%",
                    resources.threads, resources.registers, resources.shared_bytes, facts.blocks
                )
            },
        );
        let name = kernel.map_or("zero".into(), |kernel| format!("k{kernel}"));
        text += &format!(
            "{name:<6}  {:>8}  {taken}  {}  {:>4.1}%  {:<12}  {labels}{more}\n",
            line.launches,
            work(line),
            100.0 * line.seconds / all.seconds,
            line.spent.bound(),
        );
    }
    text + &format!("{:<6}  {:>8}  {:>46}  {}\n", "all", all.launches, "", work(&all))
}

fn work(line: &Line) -> String {
    format!("{:>7.1}  {:>7.3}  {:>8.3}", line.flops / 1e9, line.bytes / 1e9, 1e3 * line.seconds)
}

fn totals(prediction: &Prediction) -> String {
    let all = sum(&prediction.lines);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{} distinct kernels, of {} that are compiled; from kernels to PTX {:.2} s",
        launched(prediction),
        prediction.kernels.len(),
        prediction.compile_seconds
    );
    let _ = writeln!(
        text,
        "tensor cores: {:.2}% of all FLOPs are in kernels that multiply on them",
        100.0 * on_tensor_cores(prediction)
    );
    let _ = writeln!(
        text,
        "memory: {:.1} GB; {:.1} GB if each operation were a kernel of its own, of which that is {:.2}",
        all.bytes / 1e9,
        prediction.unfused_bytes / 1e9,
        all.bytes / prediction.unfused_bytes
    );
    text
}

/// Distinct kernels that one repetition launches.
fn launched(prediction: &Prediction) -> usize {
    prediction.lines.iter().filter(|(kernel, _)| kernel.is_some()).count()
}

/// The fraction of FLOPs in kernels around a matrix product.
fn on_tensor_cores(prediction: &Prediction) -> f64 {
    let multiplies = |(_, line): &&(Option<u32>, Line)| line.product_flops > 0.0;
    let flops = |(_, line): &(Option<u32>, Line)| line.flops;
    prediction.lines.iter().filter(multiplies).map(flops).sum::<f64>() / sum(&prediction.lines).flops
}

fn stage_text(stage: &StageLine) -> String {
    let (steps, hours) = match stage.steps {
        Some(steps) => (steps.to_string(), format!("{:.2}", hours(stage, steps))),
        None => ("".into(), "".into()),
    };
    format!(
        "{:<14}  {:<9}  {:>5}  {:>7}  {:>7.2}  {:>8.0}  {:>8}  {steps:>5}  {hours:>7}\n",
        stage.name,
        stage.precision,
        stage.batch,
        stage.micro_batch,
        1e3 * stage.seconds,
        stage.tokens_per_s,
        bytes(stage.bytes),
    )
}

fn hours(stage: &StageLine, steps: u64) -> f64 {
    stage.seconds * steps as f64 / 3600.0
}

/// What it computes, and why that is together.
fn one_kernel(index: u32, facts: &KernelFacts, line: &Line) -> String {
    let intensity = match line.flops * line.bytes == 0.0 {
        true => String::new(),
        false => format!(", {:.1} FLOP/byte", line.flops / line.bytes),
    };
    let mut text = format!("k{index}{intensity}: {}", facts.text);
    facts.reasons.iter().for_each(|reason| text += &format!("  ({reason})\n"));
    if facts.spilled > 0 {
        text += &format!("  ({} bytes of registers go to memory and back)\n", facts.spilled);
    }
    text
}

pub fn json(prediction: &Prediction) -> Value {
    let gpu = &prediction.gpu;
    let kernel = |(kernel, line): &(Option<u32>, Line)| {
        let facts = kernel.map(|kernel| &prediction.kernels[kernel as usize]);
        json!({
            "kernel": kernel,
            "text": facts.map(|facts| &facts.text),
            "reasons": facts.map(|facts| &facts.reasons),
            "labels": line.labels,
            "launches": line.launches,
            "threads": facts.map(|facts| facts.resources.threads),
            "registers": facts.map(|facts| facts.resources.registers),
            "spilled_bytes": facts.map(|facts| facts.spilled),
            "shared_bytes": facts.map(|facts| facts.resources.shared_bytes),
            "blocks": facts.map(|facts| facts.blocks),
            "occupancy": facts.map(|facts| facts.occupancy),
            "flops": line.flops,
            "product_flops": line.product_flops,
            "bytes": line.bytes,
            "least_seconds": line.seconds,
            "bound": line.spent.bound(),
        })
    };
    let stage = |stage: &StageLine| {
        json!({
            "name": stage.name,
            "precision": stage.precision,
            "batch": stage.batch,
            "micro_batch": stage.micro_batch,
            "least_seconds": stage.seconds,
            "tokens_per_s": stage.tokens_per_s,
            "bytes": stage.bytes,
            "steps": stage.steps,
            "hours": stage.steps.map(|steps| hours(stage, steps)),
        })
    };
    let all = sum(&prediction.lines);
    json!({
        "device": {
            "name": gpu.name,
            "title": gpu.title,
            "target": prediction.target,
            "multiprocessors": gpu.multiprocessors,
            "clock_hz": gpu.clock_hz,
            "bf16_flops_per_s": gpu.product_flops_per_s(Precision::Bf16),
            "tf32_flops_per_s": gpu.product_flops_per_s(Precision::F32),
            "scalar_flops_per_s": gpu.scalar_flops_per_s(),
            "bytes_per_s": gpu.memory_bytes_per_s,
            "bytes": gpu.memory_bytes,
        },
        "assembled": prediction.assembled,
        "compile_seconds": prediction.compile_seconds,
        "distinct_kernels": launched(prediction),
        "compiled_kernels": prediction.kernels.len(),
        "least_seconds": all.seconds,
        "flops": all.flops,
        "tensor_core_fraction": on_tensor_cores(prediction),
        "bytes": all.bytes,
        "unfused_bytes": prediction.unfused_bytes,
        "kernels": prediction.lines.iter().map(kernel).collect::<Vec<_>>(),
        "stages": prediction.stages.iter().map(stage).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::explain::gpu::roofline::Seconds;
    use tfc_codegen::{Gpu, Resources};

    fn prediction() -> Prediction {
        let labels = ["a", "b", "c", "d"].map(|name| format!("block.*.{name}: matmul")).to_vec();
        let spent = Seconds { products: 4e-3, scalars: 1e-4, memory: 2e-3 };
        let (flops, product_flops) = (2.1e12, 2e12);
        let product = Line { launches: 48, flops, product_flops, bytes: 8e9, seconds: 4e-3, spent, labels };
        let labels = vec!["e.weight".to_string()];
        let spent = Seconds { products: 0.0, scalars: 0.0, memory: 1e-3 };
        let zero = Line { launches: 1, bytes: 4e9, seconds: 1e-3, spent, labels, ..Line::default() };
        let resources = Resources { threads: 256, registers: 128, shared_bytes: 65_536 };
        Prediction {
            gpu: Gpu::named("h100").unwrap(),
            target: "sm_90",
            lines: vec![(Some(0), product), (None, zero)],
            kernels: vec![KernelFacts {
                text: "contraction in bf16 #0 · #1\n".into(),
                reasons: vec!["a bare product".into()],
                resources,
                blocks: 2,
                occupancy: 0.25,
                spilled: 16,
            }],
            assembled: true,
            compile_seconds: 1.5,
            unfused_bytes: 30e9,
            stages: vec![StageLine {
                name: "124M".into(),
                precision: "bf16",
                batch: 32,
                micro_batch: 16,
                seconds: 0.05,
                tokens_per_s: 655_360.0,
                bytes: 5 << 30,
                steps: Some(1000),
            }],
        }
    }

    #[test]
    fn tables() {
        insta::assert_snapshot!(text(&prediction()));
    }

    #[test]
    fn numbers() {
        let json = json(&prediction());
        assert_eq!(json["kernels"][0]["registers"], 128);
        assert_eq!(json["kernels"][0]["bound"], "tensor cores");
        assert_eq!(json["kernels"][1]["registers"], Value::Null);
        assert_eq!(json["tensor_core_fraction"], 1.0);
        assert_eq!(json["bytes"], 12e9);
        assert_eq!(json["stages"][0]["hours"], 0.05 * 1000.0 / 3600.0);
    }
}
