//! What stops a run without being a bug: one clear sentence, and whether the user or the machine has to act.

use std::fmt;
use std::io;
use std::path::Path;

pub type Result<T> = std::result::Result<T, Failure>;

/// One sentence for the user: what went wrong, where, and a way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
}

/// What a [`Failure`] is about. Decides the exit code and lets callers treat a missing file as "not yet there".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What was asked for does not make sense.
    Mistake,
    /// A file or folder is not there.
    Missing,
    /// The file system does not let this user do it.
    Denied,
    /// A file is truncated, foreign or corrupt.
    Broken,
    /// Training left the finite numbers.
    Diverged,
    /// The disk or a quota is full.
    Full,
    /// The machine gave up otherwise: no memory, no driver, a failing disk.
    Machine,
}

impl Kind {
    /// The exit code of the command: 1 for what the user can mend in the input, 3 for the machine.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Mistake | Kind::Missing | Kind::Denied | Kind::Broken | Kind::Diverged => 1,
            Kind::Full | Kind::Machine => 3,
        }
    }
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Failure { kind, message: message.into() }
    }

    pub fn mistake(message: impl Into<String>) -> Self {
        Failure::new(Kind::Mistake, message)
    }

    /// `what` completes the sentence "`path` …", as in "is truncated; copy it again".
    pub fn broken(path: &Path, what: impl fmt::Display) -> Self {
        Failure::new(Kind::Broken, format!("`{}` {what}", path.display()))
    }

    /// An operating-system error while doing `action` ("read", "create", …) to `path`.
    pub fn io(action: &str, path: &Path, error: &io::Error) -> Self {
        let (kind, why) = explain(error);
        Failure::new(kind, format!("cannot {action} `{}`: {why}", path.display()))
    }

    /// Why an operation on a file failed, in the words of [`Failure::io`], where something else says which.
    pub fn reason(error: &io::Error) -> String {
        explain(error).1
    }
}

fn explain(error: &io::Error) -> (Kind, String) {
    match error.kind() {
        io::ErrorKind::NotFound => (Kind::Missing, "there is no such file or folder; check the path".into()),
        io::ErrorKind::PermissionDenied => (Kind::Denied, "permission denied; check its owner and mode".into()),
        io::ErrorKind::ReadOnlyFilesystem => {
            (Kind::Denied, "the file system is read-only; choose another place".into())
        }
        io::ErrorKind::StorageFull => (Kind::Full, "the disk is full; free some space or choose another place".into()),
        io::ErrorKind::QuotaExceeded => {
            (Kind::Full, "your disk quota is used up; free some space or choose another place".into())
        }
        io::ErrorKind::IsADirectory => (Kind::Mistake, "it is a folder, not a file".into()),
        io::ErrorKind::NotADirectory => (Kind::Mistake, "a part of the path is a file, not a folder".into()),
        io::ErrorKind::AlreadyExists => (Kind::Mistake, "it already exists; remove it or choose another name".into()),
        // The rest has no advice of ours: the system's own words say most.
        _ => (Kind::Machine, error.to_string()),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: i32) -> Failure {
        Failure::io("write", Path::new("runs/a/metrics.jsonl"), &io::Error::from_raw_os_error(code))
    }

    /// The errno numbers of Linux, which the standard library maps to its kinds.
    #[test]
    #[cfg(target_os = "linux")]
    fn each_cause_has_its_sentence_and_exit_code() {
        let said = |code| {
            let failure = of(code);
            (failure.kind, failure.kind.exit_code(), failure.message)
        };
        let (enoent, eio, eacces, enotdir, eisdir, enospc, erofs, edquot) = (2, 5, 13, 20, 21, 28, 30, 122);
        let place = "cannot write `runs/a/metrics.jsonl`: ";
        for (code, kind, exit, why) in [
            (enoent, Kind::Missing, 1, "there is no such file or folder; check the path"),
            (eacces, Kind::Denied, 1, "permission denied; check its owner and mode"),
            (erofs, Kind::Denied, 1, "the file system is read-only; choose another place"),
            (enospc, Kind::Full, 3, "the disk is full; free some space or choose another place"),
            (edquot, Kind::Full, 3, "your disk quota is used up; free some space or choose another place"),
            (eisdir, Kind::Mistake, 1, "it is a folder, not a file"),
            (enotdir, Kind::Mistake, 1, "a part of the path is a file, not a folder"),
            (eio, Kind::Machine, 3, "Input/output error (os error 5)"),
        ] {
            assert_eq!(said(code), (kind, exit, format!("{place}{why}")));
        }
    }

    #[test]
    fn a_broken_file_is_named_first() {
        let failure = Failure::broken(Path::new("w.safetensors"), "is truncated; copy it again");
        assert_eq!(failure.to_string(), "`w.safetensors` is truncated; copy it again");
        assert_eq!(failure.kind, Kind::Broken);
    }
}
