//! How much memory a run needs, and how much it may take.

use tfc_compiler::compiled::Compiled;
use tfc_compiler::plan::layout;
use tfc_compiler::size::{SizeValues, Symbol};
use tfc_runtime::train::fitting;
use tfc_runtime::{Failure, Result};

/// Bytes that training takes at the sizes of a stage with `rows` sequences at once: storages, and the largest arena.
fn training(compiled: &Compiled, stage: usize, rows: u64) -> u64 {
    let model = &compiled.model;
    let context = model.context.unwrap_or(1);
    let sizes = model.stage_sizes(stage).with(Symbol::BATCH, rows as i64).with(Symbol::SEQUENCE, context);
    let storages: i64 = compiled.storages().iter().map(|(_, ty)| ty.elements().eval(&sizes).saturating_mul(4)).sum();
    storages as u64 + arena(compiled, &sizes).unwrap_or(0)
}

/// The most sequences at once that the largest stage has memory for.
pub fn micro_batch(compiled: &Compiled, budget: u64) -> Result<u64> {
    let stages = &compiled.model.experiment.stages;
    let batch = stages.iter().filter_map(|s| s.train.as_ref()).map(|t| t.batch).max().unwrap_or(1);
    let needed = |rows: u64| (0..stages.len()).map(|stage| training(compiled, stage, rows)).max().unwrap_or(0);
    fitting(batch, budget, &needed)
}

/// Bytes of the largest arena that an entry takes at these sizes; None where nothing was compiled.
pub fn arena(compiled: &Compiled, sizes: &SizeValues) -> Option<u64> {
    compiled.program.plans.iter().map(|plan| layout(plan, sizes).arena_bytes).max()
}

/// What `--memory` allows; without it, nine tenths of what the machine has free.
pub fn budget(argument: Option<&str>) -> Result<u64> {
    match argument {
        Some(text) => parse(text),
        None => Ok(available().map_or(u64::MAX, |bytes| bytes / 10 * 9)),
    }
}

/// `2.5GiB`, `800 MiB`, `4GB`, or bytes.
fn parse(text: &str) -> Result<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kib" | "k" => 1024.0,
        "mib" | "m" => 1024.0 * 1024.0,
        "gib" | "g" => 1024.0 * 1024.0 * 1024.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        _ => return Err(not_a_size(text)),
    };
    let number: f64 = text[..digits].parse().map_err(|_| not_a_size(text))?;
    Ok((number * unit) as u64)
}

fn not_a_size(text: &str) -> Failure {
    Failure::mistake(format!("`{text}` is no amount of memory; write --memory 2.5GiB, for example"))
}

/// What the kernel says is free without swapping; None where there is no /proc.
pub fn available() -> Option<u64> {
    kernel_says("/proc/meminfo", "MemAvailable:")
}

/// The most memory that this process has had resident so far; None where there is no /proc.
pub fn peak_resident() -> Option<u64> {
    kernel_says("/proc/self/status", "VmHWM:")
}

/// The bytes in the line of a table of amounts.
fn kernel_says(table: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(table).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn amounts_of_memory() {
        assert_eq!(parse("2.5GiB").unwrap(), 5 << 29);
        assert_eq!(parse("800 MiB").unwrap(), 800 << 20);
        assert_eq!(parse("4GB").unwrap(), 4_000_000_000);
        assert_eq!(parse("123").unwrap(), 123);
        for wrong in ["", "much", "1.2.3G", "5 parsecs", "-1G"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
