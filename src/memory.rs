//! How much memory a run needs, and how much it may take.

use tfc_compiler::budget::{self, TooLittle, call_bytes};
use tfc_compiler::compile::compile_recomputing;
use tfc_compiler::compiled::{Compiled, Entry};
use tfc_compiler::model::Model;
use tfc_compiler::optimization::Disabled;
use tfc_compiler::quantity::bytes;
use tfc_compiler::size::{SizeValues, Symbol};
use tfc_runtime::bench::Decoding;
use tfc_runtime::checkpoint::PlanState;
use tfc_runtime::{Failure, Kind, Result};

/// Compiles a training for a budget of memory, and says how it was planned. A run that goes on is compiled as it was `planned` when it began.
///
/// # Errors
/// The budget is too small.
pub fn compile_training(
    model: Model,
    entries: &[Entry],
    disabled: &Disabled,
    budget: u64,
    planned: Option<PlanState>,
) -> Result<(Compiled, PlanState)> {
    let Some(plan) = planned else {
        let decided = budget::decide(model, entries, disabled, budget);
        return decided.map(|(compiled, decision)| (compiled, decision.into())).map_err(too_little);
    };
    let compiled = compile_recomputing(model, entries, disabled, &plan.recomputed);
    let needed = budget::bytes(&compiled, plan.micro_batch.min(compiled.model.largest_batch()));
    if needed > budget {
        let takes = format!("the run goes on as it was planned when it began, and takes {} of memory", enough(needed));
        let way_out = "free some, or let `--memory` allow it";
        return Err(Failure::new(Kind::Machine, format!("{takes}, but there are {}; {way_out}", bytes(budget))));
    }
    Ok((compiled, plan))
}

fn too_little(TooLittle { least, given, can_be_cut }: TooLittle) -> Failure {
    let needed = format!("this training needs at least {} of memory, but there are {}", enough(least), bytes(given));
    let way_out = match can_be_cut {
        true => "make the model or its `context` smaller",
        false => "its loss or a metric is no mean over sequences, so a batch is not cut: make `batch` smaller",
    };
    Failure::new(Kind::Machine, format!("{needed}; {way_out}, or let `--memory` allow it"))
}

/// # Errors
/// The budget is too small for a forward pass of so many sequences, in one stage.
pub fn check_forward(compiled: &Compiled, stage: usize, batch: u64, budget: u64) -> Result<()> {
    let positions = compiled.model.context.unwrap_or(1);
    let sizes = compiled.model.stage_sizes(stage);
    let sizes = sizes.with(Symbol::BATCH, batch as i64).with(Symbol::SEQUENCE, positions);
    let what = format!("a forward pass of {batch} sequences");
    check_calls(compiled, stage, &sizes, budget, &what, "use a smaller `--batch`")
}

/// # Errors
/// The budget is too small for decoding a text, at the sizes of one stage.
pub fn check_decoding(compiled: &Compiled, stage: usize, budget: u64) -> Result<()> {
    let [prompt, tokens] = Decoding::lengths(&compiled.model).map(|length| length as i64);
    let sizes = compiled.model.stage_sizes(stage).with(Symbol::BATCH, 1);
    let sizes = sizes.with(Symbol::SEQUENCE, prompt).with(Symbol::CAPACITY, prompt + tokens);
    check_calls(compiled, stage, &sizes, budget, "decoding a text", "let `--memory` allow it")
}

fn check_calls(
    compiled: &Compiled,
    stage: usize,
    sizes: &SizeValues,
    budget: u64,
    what: &str,
    way_out: &str,
) -> Result<()> {
    let precision = compiled.model.stage_precision(stage);
    let plans = compiled.program.plans.iter().filter(|plan| plan.precision == precision);
    let needed = plans.map(|plan| call_bytes(plan, sizes)).max().unwrap_or(0);
    if needed <= budget {
        return Ok(());
    }
    let takes = format!("{what} takes {} of memory", enough(needed));
    Err(Failure::new(Kind::Machine, format!("{takes}, but there are {}; {way_out}", bytes(budget))))
}

/// Rounded up, of little memory by little: so much is enough.
fn enough(bytes: u64) -> String {
    match bytes < 16 << 20 {
        true => format!("{} KiB", bytes.div_ceil(1 << 10)),
        false => format!("{} MiB", bytes.div_ceil(1 << 20)),
    }
}

/// What `--memory` allows; without it, nine tenths of what is `free` where the tensors lie, if that is known.
pub fn budget(argument: Option<&str>, free: Option<u64>) -> Result<u64> {
    match argument {
        Some(text) => parse(text),
        None => Ok(free.map_or(u64::MAX, |bytes| bytes / 10 * 9)),
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

/// What this process has in memory now: in all, and without what it shares with its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resident {
    pub all: u64,
    pub anonymous: u64,
}

/// None where there is no /proc.
pub fn resident() -> Option<Resident> {
    let says = |key| kernel_says("/proc/self/status", key);
    Some(Resident { all: says("VmRSS:")?, anonymous: says("RssAnon:")? })
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
    use super::{parse, too_little};
    use tfc_compiler::budget::TooLittle;

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

    /// The least that is named is enough when it is given.
    #[test]
    fn too_little_names_the_least_that_is_enough() {
        let failure = too_little(TooLittle { least: (300 << 20) + 1, given: 1 << 28, can_be_cut: true });
        assert_eq!(
            failure.message,
            "this training needs at least 301 MiB of memory, but there are 256 MiB; \
             make the model or its `context` smaller, or let `--memory` allow it"
        );
        assert_eq!(failure.kind.exit_code(), 3);
        assert!(parse("301 MiB").unwrap() > (300 << 20) + 1);
        let little = too_little(TooLittle { least: (752 << 10) - 1, given: 700 << 10, can_be_cut: true });
        assert!(little.message.starts_with("this training needs at least 752 KiB of memory"), "{}", little.message);
    }
}
