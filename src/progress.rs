//! What a person sees of a run: a progress bar on a terminal, plain lines elsewhere.

use crate::console::to_stderr;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};
use tfc_compiler::model::Stage;
use tfc_runtime::Result;
use tfc_runtime::confusion::Confusion;
use tfc_runtime::device::readable;
use tfc_runtime::evaluate::Evaluation;
use tfc_runtime::train::{Event, Observer, Step};

/// Without a bar, every this many updates say a line.
const LINE_EVERY: u64 = 10;
/// Without a bar, an evaluation says a line whenever this time has passed: most are over before.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Progress {
    quiet: bool,
    /// Only where a person watches.
    bar: Option<ProgressBar>,
    speed: Speed,
    /// When an evaluation began, or last said something.
    evaluating: Instant,
}

impl Progress {
    /// Of a training.
    pub fn new(watched: bool, quiet: bool) -> Progress {
        Progress::styled("{bar:24} {pos}/{len}  {msg}  {eta} left", watched, quiet)
    }

    /// Of an evaluation alone.
    pub fn of_evaluation(watched: bool, quiet: bool) -> Progress {
        Progress::styled("{msg}", watched, quiet)
    }

    fn styled(template: &str, watched: bool, quiet: bool) -> Progress {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = watched.then(|| ProgressBar::new(0).with_style(style));
        Progress { quiet, bar, speed: Speed::default(), evaluating: Instant::now() }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.suspend(|| to_stderr(text)),
            None => to_stderr(text),
        }
    }

    fn stage(&mut self, stage: &Stage, step: u64, done: u64, length: Option<u64>) {
        let name = if stage.name.is_empty() { String::new() } else { format!(" \"{}\"", stage.name) };
        let length_text = length.map_or(String::new(), |steps| format!(" of {steps} steps"));
        let from = if done > 0 { format!(", {done} of them done") } else { String::new() };
        let memory = peak_memory().map_or(String::new(), |bytes| format!(", {} of memory in use", readable(bytes)));
        self.line(&format!("stage{name}{length_text}{from}, from step {step}{memory}"));
        if let Some(bar) = &self.bar {
            bar.set_length(length.unwrap_or(0));
            bar.set_position(done);
            bar.reset_eta();
        }
        self.speed = Speed::default();
    }

    fn step(&mut self, step: &Step) {
        self.speed.add(step.tokens_per_second);
        let text = format!(
            "loss {:.4}  norm {:.3}  lr {:.2e}  {} tokens/s",
            step.loss,
            step.gradient_norm,
            step.learning_rate,
            thousands(self.speed.recent() as u64)
        );
        match &self.bar {
            Some(bar) => {
                bar.inc(1);
                bar.set_message(text);
            }
            None if step.step == 1 || step.step.is_multiple_of(LINE_EVERY) => {
                self.line(&format!("step {:>6}  {text}", step.step));
            }
            None => {}
        }
    }

    fn evaluating(&mut self, set: &str, done: u64, of: u64, now: Instant) {
        let set = if set.is_empty() { String::new() } else { format!(" on {set}") };
        let text = format!("evaluating{set}: {done} of {of}");
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None if done == 0 => self.evaluating = now,
            None if now.duration_since(self.evaluating) >= PATIENCE => {
                self.evaluating = now;
                self.line(&text);
            }
            None => {}
        }
    }

    fn evaluated(&self, step: u64, set: &str, evaluation: &Evaluation) {
        let metrics: Vec<String> =
            evaluation.metrics.iter().map(|(name, value)| format!("  {name} {value:.4}")).collect();
        let set = if set.is_empty() { String::new() } else { format!(" on {set}") };
        self.line(&format!("step {step:>6}  validation loss {:.4}{set}{}", evaluation.loss, metrics.concat()));
    }
}

impl Observer for Progress {
    fn see(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Stage { stage, run, done, length, .. } => self.stage(stage, run.steps, *done, *length),
            Event::Grown { grown, seconds, .. } => self.line(&format!("{grown}; {seconds:.1} s")),
            Event::Step(step) => self.step(step),
            Event::Evaluating { set, done, of } => self.evaluating(set, *done, *of, Instant::now()),
            Event::Evaluated { step, set, evaluation, .. } => self.evaluated(*step, set, evaluation),
            Event::Confused { set, confusion } => self.line(&confused(set, confusion)),
            Event::Saved { .. } => {}
        }
        Ok(())
    }
}

/// In one line: the matrix is in the report.
fn confused(set: &str, confusion: &Confusion) -> String {
    let set = if set.is_empty() { String::new() } else { format!(" on {set}") };
    let worst = confusion.mistakes().into_iter().take(3);
    let worst: Vec<String> = worst.map(|m| format!("; {} taken for {} ({})", m.truth, m.prediction, m.count)).collect();
    format!("right{set}: {:.2} % of {}{}", 100.0 * confusion.accuracy(), confusion.total(), worst.concat())
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The harmonic mean of the last few updates' speeds: tokens over time.
#[derive(Default)]
struct Speed(Vec<f64>);

impl Speed {
    fn add(&mut self, tokens_per_second: f64) {
        if self.0.len() == 20 {
            self.0.remove(0);
        }
        self.0.push(tokens_per_second.max(f64::MIN_POSITIVE));
    }

    fn recent(&self) -> f64 {
        self.0.len() as f64 / self.0.iter().map(|s| 1.0 / s).sum::<f64>()
    }
}

/// The most memory that this process has had so far.
fn peak_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// `12,345`
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_an_evaluation_is_due_when_patience_is_over() {
        let mut progress = Progress::new(false, true);
        let start = Instant::now();
        let mut due_after = |done, seconds| {
            let now = start + Duration::from_secs(seconds);
            progress.evaluating("", done, 9, now);
            progress.evaluating == now
        };
        let due = [(0, 0), (1, 9), (2, 11), (3, 20), (4, 21), (0, 22), (1, 31)];
        assert_eq!(due.map(|(done, seconds)| due_after(done, seconds)), [true, false, true, false, true, true, false]);
    }
}
