//! `tfc doctor`: what this machine offers, what is missing and how to get it.

use crate::arguments::{Doctor, Format};
use crate::console::Console;
use crate::memory;
use crate::stop::Outcome;
use serde_json::json;
use std::path::Path;
use tfc_codegen::{CpuBackend, Host};
use tfc_compiler::executable::Backend;
use tfc_runtime::code_cache::{CodeCache, VARIABLE};
use tfc_runtime::device::readable;

/// One thing looked at.
struct Finding {
    what: &'static str,
    found: String,
    /// How to get it, where it is missing.
    way_out: Option<&'static str>,
}

pub fn run(command: &Doctor, console: &Console) -> Outcome {
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

/// The driver's library, where the dynamic linker looks.
fn cuda() -> Finding {
    let folders =
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/cuda/lib64"];
    let driver = folders.iter().map(|folder| Path::new(folder).join("libcuda.so.1")).find(|path| path.exists());
    match driver {
        Some(path) => Finding { what: "CUDA driver", found: path.display().to_string(), way_out: None },
        None => Finding {
            what: "CUDA driver",
            found: "none".into(),
            way_out: Some("models run on the CPU; for an NVIDIA GPU install its driver"),
        },
    }
}

fn line(finding: &Finding) -> String {
    let way_out = finding.way_out.map_or(String::new(), |way_out| format!(" ({way_out})"));
    format!("{:<16}{}{way_out}\n", finding.what, finding.found)
}
