//! Text files as documents.

use crate::{Failure, Kind, Result, json, storage};
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// The documents of files and folders, read one at a time.
///
/// A file is a document. A file named `*.jsonl` is a document a line, under the key `text`. A folder stands for its files,
/// those of its folders too, sorted by path; names that start with a dot are left out. Documents without any text are
/// left out.
pub struct Texts {
    files: std::vec::IntoIter<PathBuf>,
    lines: Option<JsonLines>,
}

impl Texts {
    /// Finds the files. Those without a byte are an error if they were named, and left out of folders.
    pub fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut files = Vec::new();
        for path in paths {
            let before = files.len();
            collect(path, &mut files)?;
            if files.len() == before {
                return Err(Failure::broken(path, "has no text in it; name a text file or a folder of text files"));
            }
        }
        Ok(Texts { files: files.into_iter(), lines: None })
    }
}

impl Iterator for Texts {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Result<String>> {
        loop {
            if let Some(lines) = &mut self.lines {
                match lines.next() {
                    Some(document) => return Some(document),
                    None => self.lines = None,
                }
            }
            let file = self.files.next()?;
            if file.extension().is_some_and(|extension| extension == "jsonl") {
                match JsonLines::open(file) {
                    Ok(lines) => self.lines = Some(lines),
                    Err(failure) => return Some(Err(failure)),
                }
            } else {
                return Some(storage::read_text(&file));
            }
        }
    }
}

/// Adds `path`, or all files below it, to `files`.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let failure = |error| Failure::io("read", path, &error);
    let metadata = fs::metadata(path).map_err(failure)?;
    if !metadata.is_dir() {
        if metadata.len() > 0 {
            files.push(path.to_owned());
        }
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect()).map_err(failure)?;
    entries.sort();
    for entry in entries.iter().filter(|entry| !hidden(entry)) {
        // A link to a folder may lead back up: followed, it would never end.
        if !(entry.is_dir() && entry.is_symlink()) {
            collect(entry, files)?;
        }
    }
    Ok(())
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

struct JsonLines {
    path: PathBuf,
    lines: BufReader<File>,
    number: usize,
}

#[derive(Deserialize)]
struct Line {
    text: String,
}

/// What some editors begin UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl JsonLines {
    fn open(path: PathBuf) -> Result<Self> {
        let file = File::open(&path).map_err(|error| Failure::io("read", &path, &error))?;
        Ok(JsonLines { path, lines: BufReader::new(file), number: 0 })
    }
}

impl Iterator for JsonLines {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Result<String>> {
        loop {
            let mut line = Vec::new();
            self.number += 1;
            match self.lines.read_until(b'\n', &mut line) {
                Err(error) => return Some(Err(Failure::io("read", &self.path, &error))),
                Ok(0) => return None,
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) => return Some(self.document(&line)),
            }
        }
    }
}

impl JsonLines {
    fn document(&self, line: &[u8]) -> Result<String> {
        let line = line.strip_prefix(BYTE_ORDER_MARK).filter(|_| self.number == 1).unwrap_or(line);
        json::object(line).map(|line: Line| line.text).map_err(|error| {
            let place = format!("line {} of `{}`", self.number, self.path.display());
            let form = "each line must be a JSON object with a string `text`";
            Failure::new(Kind::Broken, format!("{place} is no document ({error}); {form}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, contents) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }
        folder
    }

    fn read(path: &Path) -> Result<Vec<String>> {
        Texts::open(&[path.to_owned()])?.collect()
    }

    #[test]
    fn a_folder_is_its_files_sorted_and_without_the_hidden_and_the_empty() {
        let folder = folder(&[
            ("b/2.md", b"two"),
            ("b/10.txt", b"ten"),
            ("a.txt", "größe".as_bytes()),
            ("c.jsonl", b"\xef\xbb\xbf{\"text\": \"first\\n\", \"id\": 7}\n\n{\"text\":\"second\"}"),
            ("empty.txt", b""),
            (".git/config", b"\xff"),
        ]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("b/loop")).unwrap();
        assert_eq!(read(folder.path()).unwrap(), ["größe", "ten", "two", "first\n", "second"]);
    }

    #[test]
    fn several_paths_are_read_in_the_order_they_are_named() {
        let folder = folder(&[("a", b"a"), ("b", b"b")]);
        let paths = ["b", "a"].map(|name| folder.path().join(name));
        let texts: Result<Vec<String>> = Texts::open(&paths).unwrap().collect();
        assert_eq!(texts.unwrap(), ["b", "a"]);
    }

    #[test]
    fn each_error_names_the_file_and_the_place() {
        let folder = folder(&[
            ("latin1.txt", b"caf\xe9 au lait"),
            ("empty.txt", b""),
            ("nothing/.hidden", b"x"),
            ("broken.jsonl", b"{\"text\": \"a\"}\n{\"txt\": \"b\"}\n"),
            ("latin1.jsonl", b"{\"text\": \"\xe9\"}"),
            ("list.jsonl", b"[\"hello\"]"),
        ]);
        for (name, kind, message) in [
            (
                "latin1.txt",
                Kind::Broken,
                "`PATH` is not UTF-8 text (byte 3 is no part of a character); convert it to UTF-8",
            ),
            ("empty.txt", Kind::Broken, "`PATH` has no text in it; name a text file or a folder of text files"),
            ("nothing", Kind::Broken, "`PATH` has no text in it; name a text file or a folder of text files"),
            ("missing", Kind::Missing, "cannot read `PATH`: there is no such file or folder; check the path"),
            (
                "broken.jsonl",
                Kind::Broken,
                "line 2 of `PATH` is no document (missing field `text` at line 1 column 12); each line must be a JSON object with a string `text`",
            ),
            (
                "list.jsonl",
                Kind::Broken,
                "line 1 of `PATH` is no document (it is no JSON object); each line must be a JSON object with a string `text`",
            ),
            (
                "latin1.jsonl",
                Kind::Broken,
                "line 1 of `PATH` is no document (invalid unicode code point at line 1 column 11); each line must be a JSON object with a string `text`",
            ),
        ] {
            let path = folder.path().join(name);
            let failure = read(&path).unwrap_err();
            assert_eq!(failure.message, message.replace("PATH", &path.display().to_string()));
            assert_eq!(failure.kind, kind);
        }
    }
}
