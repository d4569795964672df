//! `metrics.jsonl`: an [`Entry`] a line.

use super::Entry;
use crate::{Failure, Kind, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file, open for appending. A line is written at once; a crash costs the last one at most.
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens the log as far as its entries are `kept`, and gives these: what comes behind them happens again, so it is cut off, as is a line that a
    /// crash cut short.
    ///
    /// # Errors
    /// A whole line is no entry: what stands behind it would be lost.
    pub fn kept(path: &Path, kept: impl Fn(&Entry) -> bool) -> Result<(Log, Vec<Entry>)> {
        let failure = |error| Failure::io("write", path, &error);
        let file = File::options().create(true).truncate(false).read(true).append(true).open(path).map_err(failure)?;
        let (mut length, mut entries) = (0, Vec::new());
        for (line, entry) in lines(path)? {
            let entry = entry?;
            if !kept(&entry) {
                break;
            }
            length += line as u64;
            entries.push(entry);
        }
        file.set_len(length).map_err(failure)?;
        Ok((Log { path: path.to_owned(), file }, entries))
    }

    pub fn append(&mut self, entry: &Entry) -> Result<()> {
        let mut line = serde_json::to_vec(entry).expect("names and numbers are JSON");
        line.push(b'\n');
        self.file.write_all(&line).map_err(|error| Failure::io("write", &self.path, &error))
    }
}

/// All entries of a log. A last line that a crash cut short is left out.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    lines(path)?.into_iter().map(|(_, entry)| entry).collect()
}

/// Each whole line: its bytes, and what it says.
fn lines(path: &Path) -> Result<Vec<(usize, Result<Entry>)>> {
    let bytes = fs::read(path).map_err(|error| Failure::io("read", path, &error))?;
    let lines = bytes.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let entry = |(i, line): (usize, &[u8])| {
        (line.len(), serde_json::from_slice(line).map_err(|error| no_entry(path, i, &error)))
    };
    Ok(lines.enumerate().map(entry).collect())
}

fn no_entry(path: &Path, line: usize, error: &serde_json::Error) -> Failure {
    let place = format!("line {} of `{}`", line + 1, path.display());
    Failure::new(Kind::Broken, format!("{place} is no entry of a metrics log ({error}); remove it"))
}

#[cfg(test)]
mod tests {
    use super::super::Event;
    use super::*;
    use std::collections::BTreeMap;

    fn entry(step: u64, loss: f64) -> Entry {
        let values = BTreeMap::from([("loss".to_string(), loss)]);
        Entry { event: Event::Train, step, tokens: 1024 * step, flops: 1e12, stage: "124M".into(), values }
    }

    fn log(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("metrics.jsonl")
    }

    fn create(path: &Path) -> Log {
        after(path, 0).unwrap().0
    }

    fn after(path: &Path, step: u64) -> Result<(Log, Vec<Entry>)> {
        Log::kept(path, |entry| entry.step <= step)
    }

    #[test]
    fn an_entry_is_a_line_of_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = log(&folder);
        create(&path).append(&entry(3, 2.5)).unwrap();
        let line =
            r#"{"event":"train","step":3,"tokens":3072,"flops":1000000000000.0,"stage":"124M","values":{"loss":2.5}}"#;
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{line}\n"));
        assert_eq!(read(&path).unwrap(), [entry(3, 2.5)]);
    }

    #[test]
    fn what_is_not_finite_is_null() {
        let folder = tempfile::tempdir().unwrap();
        let path = log(&folder);
        create(&path).append(&entry(1, f64::NAN)).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains(r#""loss":null"#));
        assert!(read(&path).unwrap()[0].values["loss"].is_nan());
    }

    /// What came after the checkpoint is replaced, also where a crash tore the last line.
    #[test]
    fn a_resumed_log_is_that_of_a_run_that_never_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = log(&folder);
        let mut first = create(&path);
        [(1, 3.0), (2, 2.0), (3, 9.0)].iter().for_each(|(step, loss)| first.append(&entry(*step, *loss)).unwrap());
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 7]).unwrap();
        assert_eq!(read(&path).unwrap(), [entry(1, 3.0), entry(2, 2.0)]);

        for loss in [1.0, 0.5] {
            let (mut resumed, entries) = after(&path, 2).unwrap();
            assert_eq!(entries, [entry(1, 3.0), entry(2, 2.0)]);
            resumed.append(&entry(3, loss)).unwrap();
            assert_eq!(read(&path).unwrap(), [entry(1, 3.0), entry(2, 2.0), entry(3, loss)]);
        }
    }

    /// What stands behind it would be cut off.
    #[test]
    fn a_damaged_line_is_not_taken_for_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = log(&folder);
        let mut first = create(&path);
        (1..=3).for_each(|step| first.append(&entry(step, 1.0)).unwrap());
        let damaged = fs::read_to_string(&path).unwrap().replacen("\"step\":2", "\"step\":x", 1);
        fs::write(&path, &damaged).unwrap();
        let refused = after(&path, 3).err().unwrap().message;
        assert!(refused.starts_with("line 2 of ") && refused.contains("is no entry of a metrics log"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    }

    #[test]
    fn a_log_that_lost_its_end_is_continued_after_its_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = log(&folder);
        let mut first = create(&path);
        [(1, 3.0), (2, 2.0)].iter().for_each(|(step, loss)| first.append(&entry(*step, *loss)).unwrap());
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 7]).unwrap();
        after(&path, 2).unwrap().0.append(&entry(3, 1.0)).unwrap();
        assert_eq!(read(&path).unwrap(), [entry(1, 3.0), entry(3, 1.0)]);

        fs::remove_file(&path).unwrap();
        after(&path, 2).unwrap().0.append(&entry(3, 1.0)).unwrap();
        assert_eq!(read(&path).unwrap(), [entry(3, 1.0)]);
    }

    #[test]
    fn wrong_lines_and_missing_folders_are_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = log(&folder);
        create(&path).append(&entry(1, 3.0)).unwrap();
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("{\"step\": 2}\n");
        fs::write(&path, text).unwrap();
        let message = format!(
            "line 2 of `{}` is no entry of a metrics log (missing field `event` at line 1 column 11); remove it",
            path.display()
        );
        assert_eq!(read(&path).unwrap_err().message, message);

        let nowhere = folder.path().join("no/metrics.jsonl");
        let why = "there is no such file or folder; check the path";
        let failure = after(&nowhere, 0).err().unwrap();
        assert_eq!(failure.message, format!("cannot write `{}`: {why}", nowhere.display()));
        assert_eq!(read(&nowhere).unwrap_err().kind, Kind::Missing);
    }
}
