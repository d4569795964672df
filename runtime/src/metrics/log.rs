//! `metrics.jsonl`: an [`Entry`] a line.

use super::Entry;
use crate::{Failure, Kind, Result};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The file, open for appending. A line is written at once; a crash costs the last one at most.
pub struct Log {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Log {
    /// Starts the log anew.
    pub fn create(path: &Path) -> Result<Self> {
        Log::resume(path, 0)
    }

    /// Opens the log as it was when it had `length` bytes: what came after the checkpoint that noted [`Log::length`]
    /// happens again, so it is cut off. If less is left of it, all whole lines stay.
    pub fn resume(path: &Path, length: u64) -> Result<Self> {
        let failure = |error| Failure::io("write", path, &error);
        let file = File::options().create(true).truncate(false).read(true).append(true).open(path).map_err(failure)?;
        let mut kept = Vec::new();
        (&file).take(length).read_to_end(&mut kept).map_err(failure)?;
        let length = kept.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end as u64 + 1);
        file.set_len(length).map_err(failure)?;
        Ok(Log { path: path.to_owned(), file, length })
    }

    pub fn append(&mut self, entry: &Entry) -> Result<()> {
        let mut line = serde_json::to_vec(entry).expect("names and numbers are JSON");
        line.push(b'\n');
        self.file.write_all(&line).map_err(|error| self.failure(&error))?;
        self.length += line.len() as u64;
        Ok(())
    }

    /// How long the log is, for a checkpoint to note; on disk when this returns.
    pub fn length(&self) -> Result<u64> {
        self.file.sync_data().map_err(|error| self.failure(&error))?;
        Ok(self.length)
    }

    fn failure(&self, error: &std::io::Error) -> Failure {
        Failure::io("write", &self.path, error)
    }
}

/// How many bytes of a log were written up to a step, its own entries among them; 0 where there is no log yet.
pub fn length_until(path: &Path, step: u64) -> Result<u64> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(Failure::io("read", path, &error)),
    };
    let mut length = 0;
    let lines = bytes.split_inclusive(|&byte| byte == b'\n').take_while(|line| line.ends_with(b"\n"));
    for (i, line) in lines.enumerate() {
        let entry: Entry = serde_json::from_slice(line).map_err(|error| no_entry(path, i, &error))?;
        if entry.step > step {
            break;
        }
        length += line.len() as u64;
    }
    Ok(length)
}

/// All entries of a log. A last line that a crash cut short is left out.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    let text = fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let entry = |(i, line): (usize, &str)| serde_json::from_str(line).map_err(|error| no_entry(path, i, &error));
    lines.enumerate().map(entry).collect()
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

    #[test]
    fn an_entry_is_a_line_of_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = log(&folder);
        Log::create(&path).unwrap().append(&entry(3, 2.5)).unwrap();
        let line =
            r#"{"event":"train","step":3,"tokens":3072,"flops":1000000000000.0,"stage":"124M","values":{"loss":2.5}}"#;
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{line}\n"));
        assert_eq!(read(&path).unwrap(), [entry(3, 2.5)]);
    }

    #[test]
    fn what_is_not_finite_is_null() {
        let folder = tempfile::tempdir().unwrap();
        let path = log(&folder);
        Log::create(&path).unwrap().append(&entry(1, f64::NAN)).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains(r#""loss":null"#));
        assert!(read(&path).unwrap()[0].values["loss"].is_nan());
    }

    /// What came after the checkpoint is replaced, also where a crash tore the last line.
    #[test]
    fn a_resumed_log_is_that_of_a_run_that_never_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = log(&folder);
        let mut first = Log::create(&path).unwrap();
        first.append(&entry(1, 3.0)).unwrap();
        first.append(&entry(2, 2.0)).unwrap();
        let noted = first.length().unwrap();
        first.append(&entry(3, 9.0)).unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 7]).unwrap();
        assert_eq!(read(&path).unwrap(), [entry(1, 3.0), entry(2, 2.0)]);

        let mut resumed = Log::resume(&path, noted).unwrap();
        resumed.append(&entry(3, 1.0)).unwrap();
        assert_eq!(read(&path).unwrap(), [entry(1, 3.0), entry(2, 2.0), entry(3, 1.0)]);
        assert_eq!(resumed.length().unwrap(), fs::metadata(&path).unwrap().len());
    }

    /// What stands behind it would be cut off.
    #[test]
    fn a_damaged_line_is_not_taken_for_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = log(&folder);
        let mut first = Log::create(&path).unwrap();
        (1..=3).for_each(|step| first.append(&entry(step, 1.0)).unwrap());
        let whole = fs::read_to_string(&path).unwrap();
        let each = whole.len() as u64 / 3;
        assert_eq!([2, 3].map(|step| length_until(&path, step).unwrap()), [2 * each, 3 * each]);
        fs::write(&path, &whole[..whole.len() - 7]).unwrap();
        assert_eq!(length_until(&path, 3).unwrap(), 2 * each);
        fs::write(&path, whole.replacen("\"step\":2", "\"step\":x", 1)).unwrap();
        let refused = length_until(&path, 3).unwrap_err().message;
        assert!(refused.starts_with("line 2 of ") && refused.contains("is no entry of a metrics log"), "{refused}");
    }

    #[test]
    fn a_log_that_lost_its_end_is_continued_after_its_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = log(&folder);
        let mut first = Log::create(&path).unwrap();
        first.append(&entry(1, 3.0)).unwrap();
        first.append(&entry(2, 2.0)).unwrap();
        let noted = first.length().unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 7]).unwrap();
        Log::resume(&path, noted).unwrap().append(&entry(3, 1.0)).unwrap();
        assert_eq!(read(&path).unwrap(), [entry(1, 3.0), entry(3, 1.0)]);

        fs::remove_file(&path).unwrap();
        Log::resume(&path, noted).unwrap().append(&entry(3, 1.0)).unwrap();
        assert_eq!(read(&path).unwrap(), [entry(3, 1.0)]);
    }

    #[test]
    fn a_new_log_replaces_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = log(&folder);
        Log::create(&path).unwrap().append(&entry(1, 3.0)).unwrap();
        Log::create(&path).unwrap();
        assert_eq!(read(&path).unwrap(), []);
    }

    #[test]
    fn wrong_lines_and_missing_folders_are_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = log(&folder);
        Log::create(&path).unwrap().append(&entry(1, 3.0)).unwrap();
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
        let failure = Log::create(&nowhere).err().unwrap();
        assert_eq!(failure.message, format!("cannot write `{}`: {why}", nowhere.display()));
        assert_eq!(read(&nowhere).unwrap_err().kind, Kind::Missing);
    }
}
