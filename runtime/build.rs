//! A digest of all that makes code of kernels, which code that was kept is known by: two builds need not differ in length and time.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Result;
use std::path::Path;

const SOURCES: [&str; 2] = ["../compiler", "../Cargo.lock"];

fn main() -> Result<()> {
    let mut hasher = DefaultHasher::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        digest(Path::new(source), &mut hasher)?;
    }
    println!("cargo::rustc-env=TFC_KERNEL_SOURCES={:016x}", hasher.finish());
    Ok(())
}

fn digest(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    path.hash(hasher);
    if !path.is_dir() {
        fs::read(path)?.hash(hasher);
        return Ok(());
    }
    let mut entries: Vec<_> = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    entries.sort();
    entries.iter().try_for_each(|entry| digest(entry, hasher))
}
