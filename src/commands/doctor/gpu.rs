//! `tfc doctor --cuda`: the conformance suite on a GPU, as a table to send with a report.

use crate::arguments::Format;
use crate::console::Console;
use crate::session;
use crate::stop::Outcome;
use serde_json::json;
use tfc_runtime::conformance::{self, Check};
use tfc_runtime::device::{Gpu, Session, readable};
use tfc_runtime::{Failure, Kind, Result};

pub fn check(number: u32, format: Format, console: &Console) -> Outcome {
    let gpu = Gpu::find(number)?;
    let backend = session::backend_of(&gpu)?;
    let checks = conformance::check(&mut |compiled| {
        Ok(Box::new(session::on_cuda(compiled, &gpu, &backend)?) as Box<dyn Session>)
    })?;
    let text = match format {
        Format::Text => table(&gpu, &checks)?,
        Format::Json => format!("{:#}\n", document(&gpu, &checks)?),
    };
    console.print(&text)?;
    match checks.iter().filter(|check| !check.passes()).count() {
        0 => Ok(()),
        failed => {
            let message = format!("the GPU fails {failed} of {} checks; please report the table", checks.len());
            Err(Failure::new(Kind::Machine, message).into())
        }
    }
}

fn table(gpu: &Gpu, checks: &[Check]) -> Result<String> {
    let (free, all) = gpu.memory()?;
    let line = |what: &str, found: &str| format!("{what:<16}{found}\n");
    let mut text = line("tfc", env!("CARGO_PKG_VERSION"));
    text += &line("GPU", &gpu.to_string());
    text += &line("memory", &format!("{} of {} free", readable(free), readable(all)));
    text += "\n          error    allowed  compared with the f64 interpreter\n";
    for Check { precision, what, error, tolerance } in checks {
        let verdict = if error <= tolerance { "pass" } else { "FAIL" };
        text += &format!("{:<6}{error:>9.1e}  {tolerance:>9.1e}  {verdict}  {what}\n", precision.name());
    }
    Ok(text)
}

fn document(gpu: &Gpu, checks: &[Check]) -> Result<serde_json::Value> {
    let (free, all) = gpu.memory()?;
    let one = |check: &Check| {
        let Check { precision, what, error, tolerance } = check;
        json!({ "precision": precision.name(), "what": what, "error": error, "tolerance": tolerance, "passes": check.passes() })
    };
    Ok(json!({
        "tfc": env!("CARGO_PKG_VERSION"),
        "gpu": gpu.name,
        "architecture": gpu.architecture(),
        "driver": gpu.driver,
        "free_bytes": free,
        "bytes": all,
        "checks": checks.iter().map(one).collect::<Vec<_>>(),
    }))
}
