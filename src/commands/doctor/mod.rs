//! `tfc doctor`: what this machine offers, what is missing and how to get it; with `--cuda`, whether a GPU computes what it should.

mod gpu;

use crate::arguments::{Doctor, Format};
use crate::console::Console;
use crate::memory;
use crate::stop::Outcome;
use serde_json::json;
use tfc_codegen::{CpuBackend, Host};
use tfc_compiler::executable::Backend;
use tfc_runtime::code_cache::{CodeCache, VARIABLE};
use tfc_runtime::device::{Gpu, readable};

/// One thing looked at.
struct Finding {
    what: &'static str,
    found: String,
    /// How to get it, where it is missing.
    way_out: Option<String>,
}

pub fn run(command: &Doctor, console: &Console) -> Outcome {
    if let Some(number) = command.cuda {
        return gpu::check(number, command.format, console);
    }
    let findings = findings();
    let text = match command.format {
        Format::Text => findings.iter().map(line).collect(),
        Format::Json => {
            let one = |f: &Finding| json!({ "what": f.what, "found": f.found, "way_out": f.way_out });
            format!("{:#}\n", serde_json::Value::Array(findings.iter().map(one).collect()))
        }
    };
    Ok(console.print(&text)?)
}

fn findings() -> Vec<Finding> {
    let there = |what, found: String| Finding { what, found, way_out: None };
    let host = Host::detect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let free = memory::available().map_or("unknown on this system".to_string(), readable);
    vec![
        there("tfc", env!("CARGO_PKG_VERSION").into()),
        there("target", CpuBackend::new().target()),
        there("processor", host.processor),
        there("vectors", host.vectors),
        there("threads", threads.to_string()),
        there("free memory", free),
        there("LLVM and MLIR", host.llvm),
        there("compiled code", compiled_code()),
        cuda(),
    ]
}

/// Where code is kept for the next run.
fn compiled_code() -> String {
    match CodeCache::of_environment().folder() {
        Some(folder) => format!("kept in {} ({VARIABLE} names another folder; empty, none)", folder.display()),
        None => format!("not kept ({VARIABLE} names a folder)"),
    }
}

/// The first GPU, with its driver.
fn cuda() -> Finding {
    let (found, way_out) = match Gpu::find(0) {
        Ok(gpu) => (gpu.to_string(), None),
        Err(failure) => ("none".to_string(), Some(failure.message)),
    };
    Finding { what: "NVIDIA GPU", found, way_out }
}

fn line(finding: &Finding) -> String {
    let way_out = finding.way_out.as_ref().map_or(String::new(), |way_out| format!(" ({way_out})"));
    format!("{:<16}{}{way_out}\n", finding.what, finding.found)
}
