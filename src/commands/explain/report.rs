//! What was measured, as tables and as JSON.

use super::measure::{Launched, Line, Measured};
use super::memory::{Arena, Memory};
use super::reasons::reasons;
use crate::meter::Limits;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use tfc_compiler::kernel::Kernel;
use tfc_compiler::quantity::bytes;
use tfc_runtime::device::SessionMemory;

/// Labels of one kernel, and buffers of an arena, that the text shows.
const LABELS: usize = 3;
const BUFFERS: usize = 12;

const ROW_EPILOGUE: &str =
    "where it stands behind a product, it does rows as soon as they are stored, in a cache: no pass of its own";

pub fn text(device: &str, kernels: &[Kernel], measured: &Measured, memory: &Memory) -> String {
    let Limits { flops, reading, moving } = measured.limits;
    let [flops, reading, moving] = [flops, reading, moving].map(|of_a_second| of_a_second / 1e9);
    let mut text =
        format!("{device}: {flops:.1} GFLOP/s, {reading:.1} GB/s read, {moving:.1} GB/s read and written\n\n");
    text += &times(measured);
    text += "\n";
    let mut told = BTreeSet::new();
    for (launched, line) in &measured.lines {
        for index in launched.kernels().filter(|index| told.insert(*index)) {
            text += &one_kernel(index, &kernels[index as usize], *launched, line);
        }
    }
    text + &memory_text(memory)
}

/// The table: what takes longest comes first.
fn times(measured: &Measured) -> String {
    let mut text = String::from("kernel  launches         ms  share  GFLOP/s   GB/s  limit ms  of limit  what\n");
    let mut row = |name: &str, line: &Line| {
        let what = line.labels.iter().take(LABELS).cloned().collect::<Vec<_>>().join("; ");
        let more = if line.labels.len() > LABELS { "; …" } else { "" };
        let cells = format!(
            "{name:<6}  {:>8}  {:>9.3}  {:>4.1}%  {:>7.1}  {:>5.1}  {:>8.3}  {:>7.1}%  {what}{more}",
            line.launches,
            1e3 * line.seconds,
            100.0 * line.seconds / measured.seconds,
            line.flops / line.seconds / 1e9,
            line.bytes / line.seconds / 1e9,
            1e3 * line.least_seconds,
            100.0 * line.least_seconds / line.seconds,
        );
        text += &format!("{}\n", cells.trim_end());
    };
    measured.lines.iter().for_each(|(launched, line)| row(&name(*launched), line));
    let all = sum(measured);
    row("all", &all);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "host              {:>9.3}  {:>4.1}%  of {:.3} ms for all, the shortest of {}",
        1e3 * measured.host_seconds,
        100.0 * measured.host_seconds / measured.seconds,
        1e3 * measured.seconds,
        measured.repetitions
    );
    text
}

/// `k3`, or `k3+k4` where the one does the rows of the other.
fn name(launched: Launched) -> String {
    let names: Vec<String> = launched.kernels().map(|kernel| format!("k{kernel}")).collect();
    if names.is_empty() { "zero".into() } else { names.join("+") }
}

fn sum(measured: &Measured) -> Line {
    measured.lines.iter().fold(Line::default(), |sum, (_, line)| Line {
        launches: sum.launches + line.launches,
        flops: sum.flops + line.flops,
        bytes: sum.bytes + line.bytes,
        seconds: sum.seconds + line.seconds,
        least_seconds: sum.least_seconds + line.least_seconds,
        labels: Vec::new(),
    })
}

/// What it computes, and why that is together.
fn one_kernel(index: u32, kernel: &Kernel, launched: Launched, line: &Line) -> String {
    let is_row_epilogue = launched.row_epilogue == Some(index);
    let bound = if line.flops * line.bytes == 0.0 || is_row_epilogue {
        String::new()
    } else {
        format!(", {:.1} FLOP/byte", line.flops / line.bytes)
    };
    let mut text = format!("k{index}{bound}: {kernel}");
    reasons(kernel).iter().for_each(|reason| text += &format!("  ({reason})\n"));
    if is_row_epilogue {
        text += &format!("  ({ROW_EPILOGUE})\n");
    }
    text
}

fn memory_text(memory: &Memory) -> String {
    let kinds = memory.storages.iter().map(|(kind, size)| format!("{kind} {}", bytes(*size)));
    let mut text = format!("\nstorages: {}\n", kinds.collect::<Vec<_>>().join(", "));
    for arena in &memory.arenas {
        let Arena { entry, bytes: size, live_bytes, fullest, buffers } = arena;
        let _ = writeln!(text, "arena of {entry}: {} for {} alive at {fullest}", bytes(*size), bytes(*live_bytes));
        for (name, count, size) in buffers.iter().take(BUFFERS) {
            let _ = writeln!(text, "  {:>9}  {count:>4} × {name}", bytes(*size));
        }
        let rest: u64 = buffers.iter().skip(BUFFERS).map(|(_, _, size)| size).sum();
        if rest > 0 {
            let _ = writeln!(text, "  {:>9}  the rest", bytes(rest));
        }
    }
    if let Some(plan) = &memory.plan {
        let _ = writeln!(text, "{plan}");
    }
    let SessionMemory { storages, arena, scratch } = memory.session;
    let [storages, arena, scratch] = [storages, arena, scratch].map(bytes);
    text + &format!("in the session: {storages} of storages, {arena} of arena, {scratch} of scratch\n")
}

pub fn json(device: &str, kernels: &[Kernel], measured: &Measured, memory: &Memory) -> Value {
    let kernel = |(launched, line): &(Launched, Line)| {
        let body = launched.kernel.map(|kernel| &kernels[kernel as usize]);
        let behind = launched.row_epilogue.map(|kernel| &kernels[kernel as usize]);
        json!({
            "kernel": launched.kernel,
            "row_epilogue": launched.row_epilogue,
            "row_epilogue_text": behind.map(ToString::to_string),
            "row_epilogue_reasons": behind.map(reasons),
            "text": body.map(ToString::to_string),
            "reasons": body.map(reasons),
            "labels": line.labels,
            "launches": line.launches,
            "flops": line.flops,
            "bytes": line.bytes,
            "seconds": line.seconds,
            "least_seconds": line.least_seconds,
            "fraction_of_limit": line.least_seconds / line.seconds,
        })
    };
    let arena = |arena: &Arena| {
        let buffer =
            |(name, count, bytes): &(String, usize, u64)| json!({ "name": name, "count": count, "bytes": bytes });
        json!({
            "entry": arena.entry,
            "bytes": arena.bytes,
            "live_bytes": arena.live_bytes,
            "fullest": arena.fullest,
            "buffers": arena.buffers.iter().map(buffer).collect::<Vec<_>>(),
        })
    };
    let storages: serde_json::Map<String, Value> =
        memory.storages.iter().map(|(kind, bytes)| ((*kind).to_string(), json!(bytes))).collect();
    json!({
        "limits": {
            "device": device,
            "flops_per_s": measured.limits.flops,
            "bytes_read_per_s": measured.limits.reading,
            "bytes_per_s": measured.limits.moving,
        },
        "seconds": measured.seconds,
        "host_seconds": measured.host_seconds,
        "repetitions": measured.repetitions,
        "kernels": measured.lines.iter().map(kernel).collect::<Vec<_>>(),
        "memory": {
            "storages": storages,
            "arenas": memory.arenas.iter().map(arena).collect::<Vec<_>>(),
            "plan": memory.plan,
            "session": {
                "storages": memory.session.storages,
                "arena": memory.session.arena,
                "scratch": memory.session.scratch,
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tfc_compiler::kernel::{Body, Contraction, Inner, Operand, Program, ProgramOp, RowAccess, RowProgram};
    use tfc_compiler::precision::Precision;
    use tfc_compiler::scalar::Unary;
    use tfc_runtime::checkpoint::PlanState;

    /// #1 = exp(#0)
    fn kernel() -> Kernel {
        let mut program = Program::default();
        let loaded = program.push(ProgramOp::Load(0));
        let result = program.push(ProgramOp::Unary(Unary::Exp, loaded));
        let access = vec![RowAccess { inner: Inner::Unit }; 2];
        let body = RowProgram { outer_rank: 1, program, stores: vec![(1, result)], access };
        Kernel { body: Body::Rows(body), operands: vec![Operand::READ, Operand::WRITE] }
    }

    fn kernels() -> [Kernel; 2] {
        let body = Body::Contraction(Contraction::product(Precision::F32, false, false));
        [kernel(), Kernel { body, operands: vec![Operand::READ, Operand::READ, Operand::WRITE] }]
    }

    fn measured() -> Measured {
        let labels = ["a", "b", "c", "d"].map(|name| format!("block.*.{name}: exp")).to_vec();
        let exp = Line { launches: 48, flops: 1e6, bytes: 8e6, seconds: 2e-3, least_seconds: 8e-4, labels };
        let labels = vec!["block.*.a: matmul, exp".to_string()];
        let product = Line { launches: 2, flops: 8e7, bytes: 4e6, seconds: 1e-3, least_seconds: 8e-4, labels };
        let labels = vec!["e.weight".to_string()];
        let zero = Line { launches: 1, flops: 0.0, bytes: 4e6, seconds: 5e-4, least_seconds: 4e-4, labels };
        let launched = |kernel, row_epilogue| Launched { kernel, row_epilogue };
        let lines =
            vec![(launched(Some(0), None), exp), (launched(Some(1), Some(0)), product), (launched(None, None), zero)];
        let limits = Limits { flops: 100e9, reading: 10e9, moving: 15e9 };
        Measured { limits, lines, seconds: 4e-3, host_seconds: 1e-3, repetitions: 5, sizes: BTreeMap::new() }
    }

    fn memory() -> Memory {
        let arena = Arena {
            entry: "gradient".into(),
            bytes: 3 << 20,
            live_bytes: 2 << 20,
            fullest: "step 7, block.0.a: exp".into(),
            buffers: (0..14).map(|i| (format!("buffer {i}"), 2, 1 << 10)).collect(),
        };
        let session = SessionMemory { storages: 5 << 20, arena: 3 << 20, scratch: 1 << 20 };
        let storages = vec![("weights", 3 << 20), ("gradients", 2 << 20)];
        let plan = Some(PlanState { micro_batch: 2, recomputed: vec!["block.*.a: exp".into()] });
        Memory { storages, arenas: vec![arena], session, plan }
    }

    #[test]
    fn tables() {
        insta::assert_snapshot!(text("this machine", &kernels(), &measured(), &memory()));
    }

    #[test]
    fn numbers() {
        let json = json("this machine", &kernels(), &measured(), &memory());
        assert_eq!(json["kernels"][0]["fraction_of_limit"], 0.4);
        assert_eq!(json["kernels"][0]["text"], kernel().to_string());
        assert_eq!([&json["kernels"][1]["kernel"], &json["kernels"][1]["row_epilogue"]], [1, 0]);
        assert_eq!(json["kernels"][1]["row_epilogue_text"], kernel().to_string());
        assert_eq!(json["kernels"][1]["row_epilogue_reasons"], json!(reasons(&kernel())));
        assert_eq!([&json["kernels"][2]["kernel"], &json["kernels"][2]["row_epilogue"]], [&Value::Null; 2]);
        assert_eq!(json["memory"]["storages"]["weights"], 3 << 20);
        assert_eq!(json["memory"]["arenas"][0]["live_bytes"], 2 << 20);
    }
}
