//! Event files for TensorBoard: records of protocol buffers, of which scalars need very little.
//! From tensorflow/core/util/event.proto, framework/summary.proto and lib/io/record_writer.cc.

use super::crc32c::masked;
use crate::{Failure, Result};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A new event file in the folder that TensorBoard is pointed at. Each record is written at once.
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Opens a file beside those of earlier starts. `step` is the first step that will be written: what those files have
    /// from there on TensorBoard then forgets.
    pub fn create(folder: &Path, step: u64) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|error| Failure::io("create", folder, &error))?;
        let time = now();
        let (path, file) = fresh_file(folder, time as u64)?;
        let mut events = EventFile { path, file };
        events.record(&[double(1, time), bytes(3, b"brain.Event:2")].concat())?;
        // Session log, status START.
        events.record(&[double(1, time), integer(2, step), bytes(7, &integer(1, 1))].concat())?;
        Ok(events)
    }

    /// Adds a point to the curve of each value that has a name as in `train/loss`.
    pub fn scalars(&mut self, step: u64, values: &BTreeMap<String, f64>) -> Result<()> {
        let value =
            |(name, value): (&String, &f64)| bytes(1, &[bytes(1, name.as_bytes()), float(2, *value as f32)].concat());
        let summary: Vec<u8> = values.iter().flat_map(value).collect();
        self.record(&[double(1, now()), integer(2, step), bytes(5, &summary)].concat())
    }

    fn record(&mut self, event: &[u8]) -> Result<()> {
        let length = (event.len() as u64).to_le_bytes();
        let record = [&length, &masked(&length).to_le_bytes()[..], event, &masked(event).to_le_bytes()].concat();
        self.file.write_all(&record).map_err(|error| Failure::io("write", &self.path, &error))
    }
}

/// Files are read in the order of their names: by time of start, then by number.
fn fresh_file(folder: &Path, seconds: u64) -> Result<(PathBuf, File)> {
    let mut number = 0;
    loop {
        let path = folder.join(format!("events.out.tfevents.{seconds:010}.{number:03}.tfc"));
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(Failure::io("create", &path, &error)),
        }
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

// Fields of protocol buffers: a key of number and wire type, then the value.

fn integer(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn double(field: u64, value: f64) -> Vec<u8> {
    [varint(field << 3 | 1), value.to_le_bytes().to_vec()].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

fn float(field: u64, value: f32) -> Vec<u8> {
    [varint(field << 3 | 5), value.to_le_bytes().to_vec()].concat()
}

/// Seven bits a byte, the lowest first; the top bit says that more follow.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of a file, their checksums verified.
    fn events(path: &Path) -> Vec<Vec<u8>> {
        let file = fs::read(path).unwrap();
        let mut rest = &file[..];
        let mut events = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<8>() {
            let (length_mask, after) = after.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_le_bytes(*length_mask), masked(length));
            let (event, after) = after.split_at(u64::from_le_bytes(*length) as usize);
            let (mask, after) = after.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_le_bytes(*mask), masked(event));
            events.push(event.to_vec());
            rest = after;
        }
        events
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// The bytes of each event, but for the time: key 0x09 and eight bytes.
    #[test]
    fn events_are_the_protocol_buffers_that_tensorboard_reads() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::create(folder.path(), 300).unwrap();
        let values = BTreeMap::from([("train/loss".to_string(), 1.5), ("z".to_string(), f64::NAN)]);
        file.scalars(300, &values).unwrap();
        let events = events(&files(folder.path())[0]);
        assert!(events.iter().all(|event| event[0] == 0x09));
        let bodies: Vec<&[u8]> = events.iter().map(|event| &event[9..]).collect();
        let loss = b"\x0a\x11\x0a\x0atrain/loss\x15\x00\x00\xc0\x3f";
        let nan = b"\x0a\x08\x0a\x01z\x15\x00\x00\xc0\x7f";
        let summary = [&b"\x10\xac\x02\x2a\x1d"[..], loss, nan].concat();
        assert_eq!(bodies, [&b"\x1a\x0dbrain.Event:2"[..], b"\x10\xac\x02\x3a\x02\x08\x01", &summary]);
    }

    #[test]
    fn each_start_has_its_own_file_after_those_before() {
        let folder = tempfile::tempdir().unwrap();
        let starts = [0u8, 10, 20];
        for step in starts {
            EventFile::create(folder.path(), step.into()).unwrap();
        }
        let steps: Vec<u8> = files(folder.path()).iter().map(|path| events(path)[1][10]).collect();
        assert_eq!(steps, starts);
    }

    #[test]
    fn a_file_in_the_way_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tensorboard");
        fs::write(&path, "").unwrap();
        let failure = EventFile::create(&path, 0).err().unwrap();
        let why = "it already exists; remove it or choose another name";
        assert_eq!(failure.message, format!("cannot create `{}`: {why}", path.display()));
    }
}
