//! A folder with a sub-folder of PNG and JPEG files for each class.

use crate::{Failure, Result};
use std::fs;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// What a name must end with; other files are no images.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// The files of each class. Only their names are held.
pub(super) struct Folder {
    path: PathBuf,
    /// In the order of their names; a class's place is its label.
    classes: Vec<String>,
    /// By class, then by name.
    files: Vec<File>,
    hash: u64,
}

struct File {
    class: u32,
    name: Box<str>,
}

impl Folder {
    /// Sub-folders are classes, in the order of their names. Hidden ones and files that are no images are passed over.
    ///
    /// # Errors
    /// It cannot be read, or has no class with an image.
    pub fn open(path: &Path) -> Result<Self> {
        let mut classes = Vec::new();
        let mut lies_open = false;
        for entry in read(path)? {
            match entry {
                Entry { name, is_folder: true, .. } if !name.starts_with('.') => classes.push(name),
                Entry { name, .. } => lies_open |= is_image(&name),
            }
        }
        classes.sort();
        let mut files = Vec::new();
        let mut hasher = Xxh3::new();
        for (class, name) in classes.iter().enumerate() {
            let mut inside = read(&path.join(name))?;
            inside.retain(|entry| !entry.is_folder && is_image(&entry.name));
            inside.sort_by(|a, b| a.name.cmp(&b.name));
            for Entry { name: file, bytes, .. } in inside {
                hasher.update(format!("{name}/{file}\0{bytes}\n").as_bytes());
                files.push(File { class: class as u32, name: file.into() });
            }
        }
        let what = match (classes.is_empty(), files.is_empty()) {
            (true, _) if lies_open => {
                "has images, but no sub-folders; put those of each class into a folder of its own"
            }
            (true, _) => "has neither a file `…-images-idx3-ubyte` nor sub-folders of images; name another folder",
            (false, true) => {
                "has sub-folders, but no PNG or JPEG file in them (`.png`, `.jpg`, `.jpeg`); name another folder"
            }
            (false, false) => {
                return Ok(Folder { path: path.to_owned(), classes, files, hash: hasher.digest() });
            }
        };
        Err(Failure::broken(path, what))
    }

    pub fn count(&self) -> usize {
        self.files.len()
    }

    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Of the names and lengths of all files.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn label(&self, image: usize) -> usize {
        self.files[image].class as usize
    }

    /// `class/file`.
    pub fn name(&self, image: usize) -> String {
        let File { class, name } = &self.files[image];
        format!("{}/{name}", self.classes[*class as usize])
    }

    pub fn file(&self, image: usize) -> PathBuf {
        self.path.join(self.name(image))
    }
}

fn is_image(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    !name.starts_with('.') && ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

struct Entry {
    name: String,
    is_folder: bool,
    bytes: u64,
}

/// What is in a folder, links followed.
fn read(folder: &Path) -> Result<Vec<Entry>> {
    let failed = |error| Failure::io("read", folder, &error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let name =
            entry.file_name().into_string().map_err(|_| Failure::broken(&path, "is not named in UTF-8; rename it"))?;
        let about = fs::metadata(&path).map_err(|error| Failure::io("read", &path, &error))?;
        entries.push(Entry { name, is_folder: about.is_dir(), bytes: about.len() });
    }
    Ok(entries)
}
