//! What was measured, as text and as JSON.

use crate::arguments::What;
use serde_json::{Value, json};
use tfc_compiler::precision::Precision;
use tfc_compiler::quantity::{bytes, grouped};
use tfc_runtime::bench::Samples;
use tfc_runtime::device::SessionMemory;

pub struct Report {
    pub spec: String,
    pub what: What,
    pub batch: u64,
    /// In a sequence, where there are sequences.
    pub positions: Option<i64>,
    pub precision: Precision,
    pub on: On,
    /// Floating-point operations per second that the threads can do together, or the GPU in matrix products.
    pub peak_flops: f64,
    pub compile_seconds: f64,
    pub kernels: usize,
    /// Of one repetition.
    pub tokens: u64,
    pub flops: f64,
    /// In seconds, of each repetition.
    pub times: Samples,
    /// Of decoding.
    pub bandwidth: Option<Bandwidth>,
    /// Of every update, where a model was trained.
    pub losses: Vec<f64>,
    pub session: SessionMemory,
    /// In bytes; None where the system does not say.
    pub resident: Option<Touched>,
    pub peak_memory: Option<u64>,
}

pub enum On {
    Processor { threads: usize, target: String },
    Gpu(String),
}

impl On {
    fn name(&self) -> String {
        match self {
            On::Processor { threads: 1, target } => format!("1 thread, {target}"),
            On::Processor { threads, target } => format!("{threads} threads, {target}"),
            On::Gpu(name) => name.clone(),
        }
    }

    /// Who it is that can do something, and moves bytes.
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            On::Processor { .. } => ("the threads can do", "the threads can read"),
            On::Gpu(_) => ("its tensor cores do in a kernel of products alone", "it copies"),
        }
    }
}

/// What of the planned memory was used.
pub struct Touched {
    /// What the process had in memory before the session took any.
    pub before: u64,
    /// What came into memory since, beside files.
    pub touched: u64,
}

pub struct Bandwidth {
    /// Of weights and cache, read for one token.
    pub bytes: u64,
    /// Bytes per second that the threads read of the weights where they lie, or that the GPU moves when it copies as many.
    pub peak: f64,
}

impl Report {
    fn tokens_per_second(&self) -> f64 {
        self.tokens as f64 / self.times.median()
    }

    fn flops_per_second(&self) -> f64 {
        self.flops / self.times.median()
    }

    pub fn text(&self) -> String {
        let mut lines = vec![self.headline()];
        let mut line = |name: &str, text: String| lines.push(format!("{name:<12} {text}"));
        line("compiled", format!("in {:.2} s, {} kernels", self.compile_seconds, self.kernels));
        let best = self.tokens as f64 / self.times.least();
        let speed = [self.tokens_per_second(), best].map(speed);
        line("tokens/s", format!("{}, the median of {}; best {}", speed[0], self.times.count(), speed[1]));
        let [flops, peak] = [self.flops_per_second(), self.peak_flops].map(|flops| flops / 1e9);
        let (can_do, can_read) = self.on.words();
        line("GFLOP/s", format!("{flops:.1}, {:.1} % of the {peak:.1} that {can_do}", 100.0 * flops / peak));
        if let Some(bandwidth) = &self.bandwidth {
            let [read, peak] = [self.bytes_per_second(bandwidth), bandwidth.peak].map(|bytes| bytes / 1e9);
            let fraction = 100.0 * read / peak;
            line("GB/s", format!("{read:.1} of weights and cache, {fraction:.1} % of the {peak:.1} that {can_read}"));
        }
        let SessionMemory { storages, arena, scratch } = self.session;
        let planned = [bytes(storages), bytes(arena), bytes(scratch)];
        let planned = format!("{} of storages, {} of arena, {} of scratch", planned[0], planned[1], planned[2]);
        line(
            "memory",
            match self.peak_memory {
                Some(peak) => format!("{} at most; {planned}", bytes(peak)),
                None => planned,
            },
        );
        if let Some(Touched { before, touched }) = self.resident {
            let fraction = 100.0 * touched as f64 / (storages + arena) as f64;
            line("touched", format!("{fraction:.1} % of storages and arena; {} were in memory before", bytes(before)));
        }
        if let [first, .., last] = self.losses[..] {
            line("loss", format!("{first:.4}, and {last:.4} after {} updates", self.losses.len() - 1));
        }
        lines.join("\n") + "\n"
    }

    fn headline(&self) -> String {
        let batch = match (self.what, self.positions) {
            (What::Decode, _) => format!("{} tokens, one at a time", self.tokens),
            (What::Train | What::Forward, Some(positions)) => format!("batch {} × {positions}", self.batch),
            (What::Train | What::Forward, None) => format!("batch {}", self.batch),
        };
        format!("{} {}: {batch}, {}, {}", self.spec, name(self.what), precision(self.precision), self.on.name())
    }

    fn bytes_per_second(&self, bandwidth: &Bandwidth) -> f64 {
        bandwidth.bytes as f64 * self.tokens_per_second()
    }

    pub fn json(&self) -> Value {
        let bandwidth = self.bandwidth.as_ref().map(|bandwidth| {
            let read = self.bytes_per_second(bandwidth);
            json!({
                "bytes_per_token": bandwidth.bytes,
                "bytes_per_s": read,
                "peak_bytes_per_s": bandwidth.peak,
                "fraction_of_bandwidth": read / bandwidth.peak,
            })
        });
        let (threads, target) = match &self.on {
            On::Processor { threads, target } => (Some(threads), target),
            On::Gpu(name) => (None, name),
        };
        json!({
            "spec": self.spec,
            "what": name(self.what),
            "batch": self.batch,
            "sequence": self.positions,
            "precision": precision(self.precision),
            "threads": threads,
            "target": target,
            "tokens": self.tokens,
            "tokens_per_s": self.tokens_per_second(),
            "tokens_per_s_best": self.tokens as f64 / self.times.least(),
            "seconds": { "median": self.times.median(), "min": self.times.least(), "repetitions": self.times.count() },
            "gflops": self.flops_per_second() / 1e9,
            "peak_gflops": self.peak_flops / 1e9,
            "fraction_of_peak": self.flops_per_second() / self.peak_flops,
            "bandwidth": bandwidth,
            "compile_seconds": self.compile_seconds,
            "kernels": self.kernels,
            "storage_bytes": self.session.storages,
            "arena_bytes": self.session.arena,
            "scratch_bytes": self.session.scratch,
            "planned_bytes": self.session.storages + self.session.arena,
            "touched_bytes": self.resident.as_ref().map(|resident| resident.touched),
            "resident_at_start_bytes": self.resident.as_ref().map(|resident| resident.before),
            "peak_memory_bytes": self.peak_memory,
            "losses": self.losses,
        })
    }
}

/// All digits of a large number, three of a small one.
fn speed(per_second: f64) -> String {
    if per_second < 1000.0 { format!("{per_second:.1}") } else { grouped(per_second.round() as i64) }
}

fn name(what: What) -> &'static str {
    match what {
        What::Train => "train",
        What::Forward => "forward",
        What::Decode => "decode",
    }
}

fn precision(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::Bf16 => "bf16",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            spec: "bench-tiny".into(),
            what: What::Train,
            batch: 16,
            positions: Some(256),
            precision: Precision::F32,
            on: On::Processor { threads: 2, target: "znver4".into() },
            peak_flops: 260e9,
            compile_seconds: 1.234,
            kernels: 38,
            tokens: 4096,
            flops: 135e9,
            times: Samples::new(vec![0.8, 1.0, 0.9]),
            bandwidth: None,
            losses: vec![8.5, 8.25, 8.0],
            session: SessionMemory { storages: 80 << 20, arena: 286 << 20, scratch: 1 << 20 },
            resident: Some(Touched { before: 120 << 20, touched: 362 << 20 }),
            peak_memory: Some(487 << 20),
        }
    }

    #[test]
    fn training() {
        let text = "bench-tiny train: batch 16 × 256, f32, 2 threads, znver4\n\
                    compiled     in 1.23 s, 38 kernels\n\
                    tokens/s     4,551, the median of 3; best 5,120\n\
                    GFLOP/s      150.0, 57.7 % of the 260.0 that the threads can do\n\
                    memory       487 MiB at most; 80.0 MiB of storages, 286 MiB of arena, 1.00 MiB of scratch\n\
                    touched      98.9 % of storages and arena; 120 MiB were in memory before\n\
                    loss         8.5000, and 8.0000 after 2 updates\n";
        assert_eq!(report().text(), text);
        let json = report().json();
        assert_eq!(json["tokens_per_s_best"], 5120.0);
        assert_eq!(json["gflops"], 150.0);
        assert_eq!(json["seconds"]["repetitions"], 3);
        assert_eq!(json["peak_memory_bytes"], 487 << 20);
        assert_eq!([&json["planned_bytes"], &json["touched_bytes"]], [366 << 20, 362 << 20]);
    }

    #[test]
    fn decoding() {
        let report = Report {
            what: What::Decode,
            precision: Precision::Bf16,
            on: On::Processor { threads: 1, target: "znver4".into() },
            tokens: 64,
            flops: 1.8e9,
            bandwidth: Some(Bandwidth { bytes: 100_000_000, peak: 10e9 }),
            losses: Vec::new(),
            resident: None,
            peak_memory: None,
            ..report()
        };
        let text = "bench-tiny decode: 64 tokens, one at a time, bf16, 1 thread, znver4\n\
                    compiled     in 1.23 s, 38 kernels\n\
                    tokens/s     71.1, the median of 3; best 80.0\n\
                    GFLOP/s      2.0, 0.8 % of the 260.0 that the threads can do\n\
                    GB/s         7.1 of weights and cache, 71.1 % of the 10.0 that the threads can read\n\
                    memory       80.0 MiB of storages, 286 MiB of arena, 1.00 MiB of scratch\n";
        assert_eq!(report.text(), text);
        assert_eq!(report.json()["bandwidth"]["bytes_per_token"], 100_000_000);
    }
    #[test]
    fn on_a_gpu() {
        let name = "NVIDIA H100 (cuda:0, sm_90), driver for CUDA 12.4";
        let report = Report { on: On::Gpu(name.into()), resident: None, peak_memory: None, ..report() };
        let text = "bench-tiny train: batch 16 × 256, f32, NVIDIA H100 (cuda:0, sm_90), driver for CUDA 12.4\n\
                    compiled     in 1.23 s, 38 kernels\n\
                    tokens/s     4,551, the median of 3; best 5,120\n\
                    GFLOP/s      150.0, 57.7 % of the 260.0 that its tensor cores do in a kernel of products alone\n\
                    memory       80.0 MiB of storages, 286 MiB of arena, 1.00 MiB of scratch\n\
                    loss         8.5000, and 8.0000 after 2 updates\n";
        assert_eq!(report.text(), text);
        assert_eq!([&report.json()["threads"], &report.json()["target"]], [&Value::Null, &json!(name)]);
    }
}
