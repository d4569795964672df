//! The pages of the documentation, and the blocks in them.

use std::fs;
use std::path::{Path, PathBuf};

/// A fenced block of a page.
pub struct Block {
    /// What follows the fence, split at the commas.
    pub words: Vec<String>,
    pub text: String,
    /// `docs/language.md:17`, of the first line of the text.
    pub place: String,
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files below a folder whose names end with `extension`, sorted. Hidden folders and the build's output are left out.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        if entry.is_dir() && !name.starts_with('.') && name != "target" && name != "runs" {
            found.extend(files(&entry, extension));
        } else if name.ends_with(extension) {
            found.push(entry);
        }
    }
    found
}

/// A path as it is written from the root.
pub fn name(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("it lies below the root");
    path.to_string_lossy().into_owned()
}

pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The blocks of a page, in order.
pub fn blocks(path: &Path) -> Vec<Block> {
    let text = read(path);
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(words), false) => {
                let words = words.split(',').map(|word| word.trim().to_string()).collect();
                let place = format!("{}:{}", name(path), number + 2);
                blocks.push(Block { words, text: String::new(), place });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let block = blocks.last_mut().expect("one is open");
                block.text.extend([line, "\n"]);
            }
            (None, false) => {}
        }
    }
    assert!(!open, "{}: the last block has no end", name(path));
    blocks
}
