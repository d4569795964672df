//! Writing so that a crash, a full disk or Ctrl-C never leaves half of anything under the final name: write under a
//! temporary name beside it, sync, rename, sync the folder.
//!
//! What is dropped without `commit` is removed. After a power cut a `.NAME.partial` may stay behind; the next attempt
//! replaces it.

use crate::{Failure, Result};
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file that takes its name, and the place of an older file of that name, when it is committed.
pub struct NewFile {
    out: BufWriter<File>,
    temporary: Temporary,
}

impl NewFile {
    /// Starts a file that will be `path`, creating the folders above it.
    pub fn create(path: &Path) -> Result<Self> {
        let temporary = Temporary::beside(path)?;
        let file = File::create(&temporary.partial).map_err(|error| Failure::io("create", path, &error))?;
        Ok(NewFile { out: BufWriter::with_capacity(1 << 20, file), temporary })
    }

    /// Writes a whole file.
    pub fn write(path: &Path, contents: &[u8]) -> Result<()> {
        let mut file = NewFile::create(path)?;
        file.write_all(contents).map_err(|error| file.failure(&error))?;
        file.commit()
    }

    /// Writes over a file that is there: where a link leads to, and with its permissions.
    ///
    /// # Errors
    /// It is not to be written.
    pub fn replace(path: &Path, contents: &[u8]) -> Result<()> {
        let failure = |error| Failure::io("write", path, &error);
        let place = fs::canonicalize(path).map_err(failure)?;
        let permissions = fs::metadata(&place).map_err(failure)?.permissions();
        if permissions.readonly() {
            return Err(failure(io::ErrorKind::PermissionDenied.into()));
        }
        let mut file = NewFile::create(&place)?;
        file.write_all(contents).map_err(|error| file.failure(&error))?;
        file.out.get_ref().set_permissions(permissions).map_err(failure)?;
        file.commit()
    }

    /// The sentence for an error of `Write` or `Seek`.
    pub fn failure(&self, error: &io::Error) -> Failure {
        Failure::io("write", &self.temporary.path, error)
    }

    pub fn commit(mut self) -> Result<()> {
        let synced = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        synced.map_err(|error| self.failure(&error))?;
        self.temporary.rename()
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Seek for NewFile {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.out.seek(place)
    }
}

/// A folder that takes its name when it is committed, with everything in it.
pub struct NewFolder {
    temporary: Temporary,
}

impl NewFolder {
    /// Starts a folder that will be `path`, creating the folders above it. A folder of that name must not exist: a
    /// rename cannot replace one in a single step.
    pub fn create(path: &Path) -> Result<Self> {
        if path.exists() {
            return Err(Failure::io("create", path, &io::ErrorKind::AlreadyExists.into()));
        }
        let temporary = Temporary::beside(path)?;
        temporary.remove();
        fs::create_dir(&temporary.partial).map_err(|error| Failure::io("create", path, &error))?;
        Ok(NewFolder { temporary })
    }

    /// Where to write the file that will be `name` in the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.temporary.partial.join(name)
    }

    /// The files in it are expected to be synced, as [`NewFile::commit`] does.
    pub fn commit(self) -> Result<()> {
        sync_folder(&self.temporary.partial)?;
        self.temporary.rename()
    }
}

/// The temporary name of a file or folder; whatever has it is removed on drop.
struct Temporary {
    path: PathBuf,
    partial: PathBuf,
}

impl Temporary {
    fn beside(path: &Path) -> Result<Self> {
        let Some(name) = path.file_name() else {
            return Err(Failure::mistake(format!("`{}` does not end in a name; add one", path.display())));
        };
        let folder = parent(path);
        let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let missing: Vec<&Path> = folder.ancestors().take_while(is_missing).collect();
        fs::create_dir_all(folder).map_err(|error| Failure::io("create", folder, &error))?;
        // A name that is safe in a folder without one would be lost with it.
        missing.into_iter().try_for_each(|made| sync_folder(parent(made)))?;
        let partial = folder.join(format!(".{}.partial", name.to_string_lossy()));
        Ok(Temporary { path: path.to_owned(), partial })
    }

    fn rename(self) -> Result<()> {
        fs::rename(&self.partial, &self.path).map_err(|error| Failure::io("write", &self.path, &error))?;
        sync_folder(parent(&self.path))
    }

    /// What cannot be removed now is replaced by the next attempt, so errors do not matter.
    fn remove(&self) {
        let _ = fs::remove_file(&self.partial).or_else(|_| fs::remove_dir_all(&self.partial));
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.remove();
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes the names in a folder survive a power cut.
fn sync_folder(folder: &Path) -> Result<()> {
    // Only Unix lets a folder be opened, and only there is it needed.
    if cfg!(unix) {
        File::open(folder).and_then(|file| file.sync_all()).map_err(|error| Failure::io("sync", folder, &error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/down/state.json");
        NewFile::write(&path, b"old").unwrap();
        let mut new = NewFile::create(&path).unwrap();
        new.write_all(b"new").unwrap();
        new.flush().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        new.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(path.parent().unwrap()), ["state.json"]);
    }

    #[test]
    #[cfg(unix)]
    fn what_is_replaced_stays_where_it_is_and_whose_it_is() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        let set_mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        set_mode(0o600);
        symlink(&file, &link).unwrap();
        NewFile::replace(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        set_mode(0o444);
        assert_eq!(NewFile::replace(&link, b"newer").unwrap_err().kind, Kind::Denied);
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }

    #[test]
    fn an_abandoned_file_or_folder_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        NewFile::create(&folder.path().join("a")).unwrap().write_all(b"half").unwrap();
        let new = NewFolder::create(&folder.path().join("b")).unwrap();
        fs::write(new.join("half"), b"").unwrap();
        drop(new);
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn a_folder_appears_with_all_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("step-500");
        // What a power cut may have left.
        fs::create_dir(folder.path().join(".step-500.partial")).unwrap();
        fs::write(folder.path().join(".step-500.partial/stale"), b"").unwrap();

        let new = NewFolder::create(&path).unwrap();
        NewFile::write(&new.join("state.json"), b"{}").unwrap();
        assert!(!path.exists());
        new.commit().unwrap();
        assert_eq!(names(&path), ["state.json"]);
        assert_eq!(names(folder.path()), ["step-500"]);
    }

    #[test]
    fn an_existing_folder_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let failure = NewFolder::create(folder.path()).err().unwrap();
        let path = folder.path().display();
        assert_eq!(
            failure.message,
            format!("cannot create `{path}`: it already exists; remove it or choose another name")
        );
    }

    #[test]
    fn a_file_in_the_way_is_said() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("runs"), b"").unwrap();
        let failure = NewFile::write(&folder.path().join("runs/a/x"), b"").unwrap_err();
        assert_eq!(failure.kind, Kind::Mistake);
        let place = folder.path().join("runs/a");
        let message = format!("cannot create `{}`: a part of the path is a file, not a folder", place.display());
        assert_eq!(failure.message, message);
    }

    #[test]
    fn a_path_needs_a_name() {
        let failure = NewFile::write(Path::new("runs/.."), b"").unwrap_err();
        assert_eq!(failure.message, "`runs/..` does not end in a name; add one");
    }

    /// `/dev/full` is the one disk that is always full.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_the_machines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let mut new = NewFile::create(&path).unwrap();
        new.out = BufWriter::new(File::options().write(true).open("/dev/full").unwrap());
        new.write_all(b"x").unwrap();
        let failure = new.commit().unwrap_err();
        assert_eq!(failure.kind, Kind::Full);
        let message =
            format!("cannot write `{}`: the disk is full; free some space or choose another place", path.display());
        assert_eq!(failure.message, message);
        assert_eq!(names(folder.path()), [""; 0]);
    }
}
