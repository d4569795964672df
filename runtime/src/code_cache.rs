//! Compiled code on disk: the second run of a spec compiles nothing.
//!
//! An entry is a file named by a digest of everything that the code follows from: the kernels, the target, and the very build of tfc. What is damaged
//! or of another kind is ignored and written anew. A file appears whole under its name, so any number of processes may share the folder.

use crate::{Failure, Kind, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tfc_compiler::executable::{Backend, Code, Function};
use tfc_compiler::kernel::Kernel;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Names the folder; empty, nothing is kept.
pub const VARIABLE: &str = "TFC_CACHE";

/// The first bytes of an entry.
const MAGIC: &[u8; 8] = b"tfc code";
/// Entries that are kept; those that were written first go first.
const ENTRIES: usize = 64;
const EXTENSION: &str = "code";

pub struct CodeCache {
    folder: Option<PathBuf>,
    /// What tells this build of tfc from others.
    build: String,
}

/// What stands before the code.
#[derive(Serialize, Deserialize)]
struct Header {
    target: String,
    functions: Vec<Function>,
}

impl CodeCache {
    pub fn new(folder: Option<PathBuf>, build: String) -> CodeCache {
        CodeCache { folder, build }
    }

    /// The folder that the environment names, else `tfc` in the user's folder for such things; the running executable as the build.
    pub fn of_environment() -> CodeCache {
        let named = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
        let users = || {
            let absolute = named("XDG_CACHE_HOME").filter(|path| path.is_absolute());
            absolute.or_else(|| named("HOME").map(|home| home.join(".cache"))).map(|folder| folder.join("tfc"))
        };
        let folder = match named(VARIABLE) {
            Some(folder) if folder.as_os_str().is_empty() => None,
            Some(folder) => Some(folder),
            None => users(),
        };
        match build() {
            Some(build) => CodeCache::new(folder, build),
            // A build that cannot be told from others must not use what they have left.
            None => CodeCache::new(None, String::new()),
        }
    }

    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The code of the kernels: what an earlier run has left, or compiled now and left for the next. A folder that cannot be used costs time only.
    ///
    /// # Errors
    /// The kernels do not compile.
    pub fn code(&self, backend: &dyn Backend, kernels: &[Kernel]) -> Result<Code> {
        let path = self.folder.as_ref().map(|folder| folder.join(self.name(backend, kernels)));
        let kept = path.as_ref().and_then(|path| parse(&fs::read(path).ok()?));
        if let Some(code) = kept.filter(|code| code.target == backend.target() && code.functions.len() == kernels.len())
        {
            return Ok(code);
        }
        let code = backend.emit(kernels).map_err(|e| Failure::new(Kind::Machine, e.to_string()))?;
        if let Some(path) = path {
            // Without the entry the next run compiles again; that is all.
            let _ = keep(&path, &code);
        }
        Ok(code)
    }

    fn name(&self, backend: &dyn Backend, kernels: &[Kernel]) -> String {
        // The derived form names every field of a kernel, and is the same wherever two kernels are equal.
        let key = format!("{}\n{}\n{kernels:?}", self.build, backend.target());
        format!("{:032x}.{EXTENSION}", xxh3_128(key.as_bytes()))
    }
}

/// Of one kernel: the same wherever two are equal, in every build that knows the kernel in the same words.
pub fn digest(kernel: &Kernel) -> String {
    format!("{:032x}", xxh3_128(format!("{kernel:?}").as_bytes()))
}

/// What the build was made of, and the size and time of the executable: another build may make other code of the same kernels.
fn build() -> Option<String> {
    let file = fs::metadata(std::env::current_exe().ok()?).ok()?;
    let modified = file.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(format!("{} {} {}", env!("TFC_KERNEL_SOURCES"), file.len(), modified.as_nanos()))
}

/// The magic, a digest of the rest, the length of the header, the header, the code.
fn print(code: &Code) -> Vec<u8> {
    let header = Header { target: code.target.clone(), functions: code.functions.clone() };
    let header = serde_json::to_vec(&header).expect("bug in tfc: strings and numbers are JSON");
    let rest = [&(header.len() as u64).to_le_bytes()[..], &header, &code.bytes].concat();
    [&MAGIC[..], &xxh3_64(&rest).to_le_bytes(), &rest].concat()
}

/// Nothing if the bytes are not what [`print()`] makes.
fn parse(bytes: &[u8]) -> Option<Code> {
    let (digest, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
    if xxh3_64(rest) != u64::from_le_bytes(*digest) {
        return None;
    }
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (header, code) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let Header { target, functions } = serde_json::from_slice(header).ok()?;
    Some(Code { target, bytes: code.to_vec(), functions })
}

fn keep(path: &Path, code: &Code) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    let written = fs::write(&partial, print(code)).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
    written?;
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == EXTENSION) {
            entries.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    entries.sort();
    entries.iter().take(entries.len().saturating_sub(ENTRIES)).try_for_each(|(_, path)| fs::remove_file(path))
}

#[cfg(test)]
mod tests;
