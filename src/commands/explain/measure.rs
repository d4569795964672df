//! The launches of some repetitions, timed and gathered by kernel.

use crate::meter::Limits;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tfc_compiler::compiled::Compiled;
use tfc_compiler::plan::{Operation, Plan, What, operations};
use tfc_compiler::size::SizeValues;
use tfc_runtime::Result;
use tfc_runtime::bench::Work;
use tfc_runtime::device::{CallProfile, Profiled};

/// What all launches of one kernel do in one repetition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub launches: u64,
    pub flops: f64,
    pub bytes: f64,
    pub seconds: f64,
    /// What the device's limits allow.
    pub least_seconds: f64,
    /// What is computed, each once; the numbers of repeated layers are stars.
    pub labels: Vec<String>,
}

/// What is launched: a kernel, a product with the row program behind it, or none where memory is zeroed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Launched {
    pub kernel: Option<u32>,
    pub row_epilogue: Option<u32>,
}

impl Launched {
    pub fn kernels(self) -> impl Iterator<Item = u32> {
        self.kernel.into_iter().chain(self.row_epilogue)
    }
}

pub struct Measured {
    pub limits: Limits,
    /// The slowest first.
    pub lines: Vec<(Launched, Line)>,
    /// Of a whole repetition, at best.
    pub seconds: f64,
    /// Of that what is in no launch, at best: what the host does.
    pub host_seconds: f64,
    pub repetitions: usize,
    /// Of the last call of each plan.
    pub sizes: BTreeMap<usize, SizeValues>,
}

pub fn measure(
    compiled: &Compiled,
    work: &mut Work<'_>,
    session: &mut dyn Profiled,
    repetitions: usize,
    limits: &dyn Fn() -> Result<Limits>,
) -> Result<Measured> {
    let (mut best, mut most) = (Best::default(), limits()?);
    let (mut seconds, mut host_seconds) = (f64::INFINITY, f64::INFINITY);
    // The first repetition touches memory for the first time.
    for repetition in 0..=repetitions.max(1) {
        // Beside each, as each launch counts in its shortest time: what a machine can do changes by the second.
        most = most.most(limits()?);
        work.prepare(session)?;
        session.start_profile();
        let start = Instant::now();
        work.run(session)?;
        let time = start.elapsed().as_secs_f64();
        let calls = session.take_profile()?;
        if repetition > 0 {
            let launches: f64 = calls.iter().flat_map(|call| &call.times).flatten().map(Duration::as_secs_f64).sum();
            seconds = seconds.min(time);
            host_seconds = host_seconds.min(time - launches);
            best.add(calls);
        }
    }
    let lines = best.lines(compiled, &most);
    let sizes = best.0.into_iter().map(|call| (call.plan, call.sizes)).collect();
    Ok(Measured { limits: most, lines, seconds, host_seconds, repetitions: repetitions.max(1), sizes })
}

/// The calls of a repetition, each operation in the shortest time that it has taken in any.
#[derive(Default)]
struct Best(Vec<CallProfile>);

impl Best {
    /// Every repetition makes the same calls.
    fn add(&mut self, calls: Vec<CallProfile>) {
        if self.0.is_empty() {
            self.0 = calls;
            return;
        }
        for (best, call) in self.0.iter_mut().zip(calls) {
            for (best, time) in best.times.iter_mut().zip(call.times) {
                *best = time.min(*best);
            }
        }
    }

    fn lines(&self, compiled: &Compiled, limits: &Limits) -> Vec<(Launched, Line)> {
        let mut lines: BTreeMap<Launched, Line> = BTreeMap::new();
        for call in &self.0 {
            let plan = &compiled.program.plans[call.plan];
            let operations = operations(&compiled.program, plan, &call.sizes);
            assert_eq!(operations.len(), call.times.len(), "bug in tfc: the device does not do what the plan says");
            let timed: Vec<_> = operations.iter().zip(&call.times).collect();
            for timed in timed.chunk_by(|_, (_, time)| time.is_none()) {
                let (launched, one) = together(timed, plan, limits);
                lines.entry(launched).or_default().add(one);
            }
        }
        let mut lines: Vec<_> = lines.into_iter().collect();
        lines.sort_by(|(_, a), (_, b)| b.seconds.total_cmp(&a.seconds));
        lines
    }
}

/// An operation, or a product and the row program that was done together with it.
fn together(timed: &[(&Operation<'_>, &Option<Duration>)], plan: &Plan, limits: &Limits) -> (Launched, Line) {
    let mut launched = Launched::default();
    let (mut line, mut read, mut labels) = (Line { launches: 1, ..Line::default() }, 0.0, Vec::new());
    for (operation, time) in timed {
        let label = match operation.what {
            What::Launch(launch) => {
                let place = if time.is_none() { &mut launched.row_epilogue } else { &mut launched.kernel };
                *place = Some(launch.kernel);
                launch.label.as_str()
            }
            What::Zero(buffer) => plan.buffers[buffer.0 as usize].name.as_str(),
        };
        line.flops += operation.cost.flops as f64;
        line.bytes += operation.cost.bytes as f64;
        read += (operation.cost.bytes - operation.cost.written_bytes) as f64;
        line.seconds += time.unwrap_or_default().as_secs_f64();
        labels.push(without_numbers(label));
    }
    let seconds = [line.flops / limits.flops, read / limits.reading, line.bytes / limits.moving];
    line.least_seconds = seconds.into_iter().fold(0.0, f64::max);
    (launched, Line { labels: vec![labels.join(", ")], ..line })
}

impl Line {
    fn add(&mut self, other: Line) {
        self.launches += other.launches;
        self.flops += other.flops;
        self.bytes += other.bytes;
        self.seconds += other.seconds;
        self.least_seconds += other.least_seconds;
        let is_new = |label: &String| !self.labels.contains(label);
        let new: Vec<String> = other.labels.into_iter().filter(is_new).collect();
        self.labels.extend(new);
    }
}

/// `block.3.ffn: matmul %12` as `block.*.ffn: matmul`: the same for all repeated layers.
pub fn without_numbers(label: &str) -> String {
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let part = |part: &str| {
        let (name, colon) = part.strip_suffix(':').map_or((part, ""), |name| (name, ":"));
        let segments: Vec<&str> = name.split('.').map(|s| if is_number(s) { "*" } else { s }).collect();
        segments.join(".") + colon
    };
    let words = label.split(' ').filter(|word| !word.starts_with('%'));
    words.map(part).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::without_numbers;

    #[test]
    fn repeated_layers_have_one_label() {
        assert_eq!(without_numbers("block.3.attend.q: matmul %12"), "block.*.attend.q: matmul");
        assert_eq!(without_numbers("reduce_sum multiply"), "reduce_sum multiply");
        assert_eq!(without_numbers("parameter.12"), "parameter.*");
    }
}
