//! `tfc fmt`: lays out .tfm files.

use crate::arguments::Fmt;
use crate::console::Console;
use crate::stop::{Outcome, Stop};
use std::io::Read;
use std::path::Path;
use tfc_grammar::{Sources, format, parse_bytes};
use tfc_runtime::storage::NewFile;
use tfc_runtime::{Failure, Kind};

pub fn run(command: &Fmt, console: &Console) -> Outcome {
    let mut failed = false;
    for path in &command.specs {
        failed |= !format_one(path, command.check, console)?;
    }
    if failed { Err(Stop::Explained) } else { Ok(()) }
}

/// Whether all is well with this file: it parses and, with `--check`, is laid out.
fn format_one(path: &Path, check: bool, console: &Console) -> Result<bool, Stop> {
    let standard = path == Path::new("-");
    let bytes = if standard {
        read_standard_input()?
    } else {
        std::fs::read(path).map_err(|e| Failure::io("read", path, &e))?
    };
    let mut sources = Sources::default();
    let (file, errors) = parse_bytes(&mut sources, path.to_string_lossy(), &bytes);
    if !errors.is_empty() {
        console.diagnostics(&sources, &errors);
        return Ok(false);
    }
    let text = format(&file);
    let laid_out = text.as_bytes() == bytes;
    if check {
        if !laid_out {
            console.error(&format!("`{}` is not laid out; `tfc fmt` does it", path.display()));
        }
        return Ok(laid_out);
    }
    if standard {
        console.print(&text)?;
    } else if !laid_out {
        NewFile::replace(path, text.as_bytes())?;
        console.say(&format!("laid out {}", path.display()));
    }
    Ok(true)
}

fn read_standard_input() -> Result<Vec<u8>, Stop> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().read_to_end(&mut bytes);
    read.map_err(|e| Failure::new(Kind::Machine, format!("cannot read the standard input: {e}")))?;
    Ok(bytes)
}
