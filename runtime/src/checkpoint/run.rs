//! A run's folder: its spec, and the checkpoints it has and keeps.

use super::{CHECKPOINTS, MODEL, SPEC, STATE, State, write, write_untrained};
use crate::device::Session;
use crate::record::METRICS;
use crate::storage::{self, NewFile};
use crate::{Failure, Kind, Result};
use std::borrow::Cow;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use tfc_compiler::compiled::Compiled;
use tfc_compiler::model::Model;
use tfc_compiler::size::SizeValues;

/// Locked as long as a process works on the run; it stays behind, empty.
const LOCK: &str = ".lock";

/// A folder that holds one run, and that no other process writes to as long as this value lives.
pub struct RunFolder {
    path: PathBuf,
    /// The lock ends with the file, and so with the process, however that ends.
    _lock: File,
}

/// A checkpoint of a run, by its name. They are ordered as they were written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Checkpoint {
    pub step: u64,
    /// Only where a stage without updates left one.
    stage: Option<usize>,
    pub path: PathBuf,
}

impl RunFolder {
    /// Starts a run of the spec `spec`, the text as resolved.
    ///
    /// # Errors
    /// There is a run in that folder that has begun, a spec that is not of a run, or another process is about to start one.
    pub fn create(path: &Path, spec: &str) -> Result<RunFolder> {
        let taken = |what: &str| Err(Failure::mistake(format!("`{}` {what} choose another `--out`", path.display())));
        if has_begun(path)? {
            return taken("holds a run already; `tfc train --resume` goes on with it; or");
        }
        // One that failed as it started has left a spec that is worth nothing; any other is somebody's.
        if path.join(SPEC).exists() && !path.join(LOCK).exists() {
            return taken(&format!("has a `{SPEC}` that no run has written;"));
        }
        fs::create_dir_all(path).map_err(|error| Failure::io("create", path, &error))?;
        let run = RunFolder { path: path.to_owned(), _lock: lock(path)? };
        run.replace_spec(spec)?;
        Ok(run)
    }

    /// A run that was started before, without what a killed process may have left half written or half removed.
    ///
    /// # Errors
    /// There is no run, or another process works on it.
    pub fn open(path: &Path) -> Result<RunFolder> {
        if !path.join(SPEC).exists() {
            return Err(Failure::new(Kind::Missing, format!("`{}` holds no run: it has no `{SPEC}`", path.display())));
        }
        if !path.join(LOCK).exists() && !has_begun(path)? {
            return Err(Failure::mistake(format!(
                "`{}` holds no run: no run has written its `{SPEC}`",
                path.display()
            )));
        }
        let run = RunFolder { path: path.to_owned(), _lock: lock(path)? };
        for entry in entries(path)?.iter().filter(|path| name(path).starts_with(".step-")) {
            fs::remove_dir_all(entry).map_err(|error| Failure::io("remove", entry, &error))?;
        }
        Ok(run)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets a new run be written to. Where that fails, nothing is left of what has not begun.
    pub fn filled<T>(self, write: impl FnOnce(&RunFolder) -> Result<T>) -> Result<T> {
        write(&self).inspect_err(|_| {
            if has_begun(&self.path).is_ok_and(|has_begun| !has_begun) {
                // What cannot be removed is in nobody's way, and a folder with other things in it stays.
                let _ = [SPEC, LOCK].map(|file| fs::remove_file(self.path.join(file)));
                let _ = [&self.path.join(CHECKPOINTS), &self.path].map(fs::remove_dir);
            }
        })
    }

    /// The spec as it was resolved when the run was started or last changed.
    pub fn spec(&self) -> Result<String> {
        storage::read_text(&self.path.join(SPEC))
    }

    pub fn replace_spec(&self, spec: &str) -> Result<()> {
        NewFile::write(&self.path.join(SPEC), spec.as_bytes())
    }

    /// All checkpoints, the latest last.
    pub fn checkpoints(&self) -> Result<Vec<Checkpoint>> {
        checkpoints(&self.path)
    }

    pub fn latest(&self) -> Result<Option<Checkpoint>> {
        Ok(self.checkpoints()?.pop())
    }

    /// Writes a checkpoint and gives its path. Of the older ones the `keep` newest stay, this one counted, and the last of
    /// each stage.
    pub fn save(
        &self,
        compiled: &Compiled,
        session: &dyn Session,
        state: &State,
        tokenizer: Option<&str>,
        keep: Option<u64>,
    ) -> Result<PathBuf> {
        let mut path = self.path.join(CHECKPOINTS).join(format!("step-{}", state.done.steps));
        if path.exists() && State::read(&path.join(STATE))?.stage.index != state.stage.index {
            path = path.with_file_name(format!("step-{}-stage-{}", state.done.steps, state.stage.index));
        }
        if path.exists() {
            // The same step of the same stage: the tensors are there; the state may have learnt something since.
            self.replace_state(&path, state)?;
        } else {
            write(&path, compiled, session, state, tokenizer)?;
        }
        if let Some(keep) = keep {
            self.prune(keep)?;
        }
        Ok(path)
    }

    /// What one of its checkpoints says beside the tensors.
    pub fn replace_state(&self, checkpoint: &Path, state: &State) -> Result<()> {
        NewFile::write(&checkpoint.join(STATE), state.to_json().as_bytes())
    }

    /// Writes the checkpoint of a run that begins with parameters from elsewhere, as [`write_untrained`] does, and gives its path.
    pub fn begin<'a>(
        &self,
        model: &Model,
        sizes: &SizeValues,
        state: &State,
        tokenizer: Option<&str>,
        bytes: impl FnMut(usize) -> Result<Cow<'a, [u8]>>,
    ) -> Result<PathBuf> {
        let path = self.path.join(CHECKPOINTS).join(format!("step-{}", state.done.steps));
        write_untrained(&path, model, sizes, state, tokenizer, bytes)?;
        Ok(path)
    }

    fn prune(&self, keep: u64) -> Result<()> {
        let mut checkpoints = Vec::new();
        for checkpoint in self.checkpoints()? {
            // What cannot be read is not ours to remove, and no reason to stop.
            if let Ok(state) = State::read(&checkpoint.path.join(STATE)) {
                checkpoints.push((checkpoint.path, state.stage.index));
            }
        }
        let newest = checkpoints.len().saturating_sub(keep.max(1) as usize);
        for (i, (path, stage)) in checkpoints[..newest].iter().enumerate() {
            let last_of_stage = checkpoints.get(i + 1).is_none_or(|(_, next)| next != stage);
            if !last_of_stage {
                remove(path)?;
            }
        }
        Ok(())
    }
}

/// Whether the run in a folder has anything to lose: one that failed as it started, for want of data or memory, has not.
fn has_begun(run: &Path) -> Result<bool> {
    let measured = fs::metadata(run.join(METRICS)).is_ok_and(|metrics| metrics.len() > 0);
    Ok(measured || !checkpoints(run)?.is_empty())
}

/// Keeps other processes away from the run in the folder `path`.
fn lock(path: &Path) -> Result<File> {
    let place = path.join(LOCK);
    let failure = |error| Failure::io("lock", &place, &error);
    let file = File::options().create(true).append(true).open(&place).map_err(failure)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let what = "is in use by another process; wait for it, stop it, or choose another `--out`";
            Err(Failure::mistake(format!("`{}` {what}", path.display())))
        }
        // Some network file systems have no locks: a run there is better than none.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(failure(error)),
    }
}

/// The checkpoints of the run in `run`, the latest last.
fn checkpoints(run: &Path) -> Result<Vec<Checkpoint>> {
    let mut checkpoints: Vec<Checkpoint> = entries(run)?.iter().filter_map(|path| Checkpoint::named(path)).collect();
    checkpoints.sort();
    Ok(checkpoints)
}

/// What is in a run's folder of checkpoints; nothing if there is none yet.
fn entries(run: &Path) -> Result<Vec<PathBuf>> {
    let folder = run.join(CHECKPOINTS);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let failure = |error| Failure::io("read", &folder, &error);
    let entries = fs::read_dir(&folder).map_err(failure)?;
    entries.map(|entry| Ok(entry.map_err(failure)?.path())).collect()
}

impl Checkpoint {
    /// From `step-N` or `step-N-stage-I`; other names are no checkpoints.
    fn named(path: &Path) -> Option<Checkpoint> {
        let name = name(path);
        let mut parts = name.strip_prefix("step-")?.split("-stage-");
        let step = parts.next()?.parse().ok()?;
        let stage = parts.next().map(str::parse).transpose().ok()?;
        parts.next().is_none().then(|| Checkpoint { step, stage, path: path.to_owned() })
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Takes the name away first: what is half removed is no checkpoint.
fn remove(path: &Path) -> Result<()> {
    let failure = |error| Failure::io("remove", path, &error);
    let removed = path.with_file_name(format!(".{}.removed", name(path)));
    fs::rename(path, &removed).map_err(failure)?;
    fs::remove_dir_all(&removed).map_err(failure)
}

/// The checkpoint that a user means by `path`: the folder itself, or the latest of a run.
pub fn locate(path: &Path) -> Result<PathBuf> {
    if path.join(MODEL).exists() {
        return Ok(path.to_owned());
    }
    if !path.exists() {
        return Err(Failure::io("read", path, &std::io::ErrorKind::NotFound.into()));
    }
    match checkpoints(path)?.pop() {
        Some(checkpoint) => Ok(checkpoint.path),
        None => Err(Failure::broken(path, "is neither a checkpoint nor a run that has one; name a `step-N` folder")),
    }
}

/// Where the spec stands that a checkpoint belongs to, `model.tfm` in its run, or beside its tensors; and its text.
pub fn spec_of(checkpoint: &Path) -> Result<(PathBuf, String)> {
    let absolute = fs::canonicalize(checkpoint).map_err(|error| Failure::io("read", checkpoint, &error))?;
    let in_run = |path: &Path| path.parent().and_then(Path::parent).map(|run| run.join(SPEC));
    // As the user names the run, unless that is another: a checkpoint may be a link.
    let is_its_own = |named: &PathBuf| fs::canonicalize(named).ok() == in_run(&absolute);
    let places = [Some(checkpoint.join(SPEC)), in_run(checkpoint).filter(is_its_own), in_run(&absolute)];
    match places.into_iter().flatten().find(|path| path.exists()) {
        Some(path) => storage::read_text(&path).map(|text| (path, text)),
        None => {
            let what = format!("has no `{SPEC}`, neither in its run nor beside it; copy the spec there");
            Err(Failure::broken(checkpoint, what))
        }
    }
}
