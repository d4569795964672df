//! Images with the class of each: IDX files as MNIST and its relatives come in, or folders of PNG and JPEG files.
//!
//! ```text
//! IDX files ──arrays→ pixels ──────────────────┐
//! folders ──folder→ files ──picture→ decoded ──┴─view→ one size ──set→ batches
//! ```
//!
//! Files are decoded when they are drawn: what is trained on need not fit into memory.

mod arrays;
mod folder;
mod idx;
mod picture;
mod set;
mod view;

pub use set::{ImageBatch, ImageSet, Preparation};
pub use view::Augment;

use crate::{Failure, Result};
use arrays::Arrays;
use folder::Folder;
use std::path::Path;
use view::View;
use xxhash_rust::xxh3::xxh3_64;

/// Images and the class of each, all handed out in one shape.
pub struct Images {
    source: Source,
    /// [channels, height, width].
    shape: [usize; 3],
}

enum Source {
    Arrays(Arrays),
    Folder(Folder),
}

impl Images {
    /// IDX files (see [`Arrays::open`]), whose shape must be this one, or a folder with a sub-folder for each class (see
    /// [`Folder::open`]), whose images are brought to it.
    pub fn open(path: &Path, shape: [usize; 3]) -> Result<Self> {
        if let Some(file) = arrays::images_file(path)? {
            let arrays = Arrays::open(&file)?;
            if arrays.shape() != shape {
                let what = format!("has images of {:?}, but the model takes {shape:?}", arrays.shape());
                return Err(Failure::broken(&file, format_args!("{what} (channels, height, width); change `forward`")));
            }
            return Ok(Images { source: Source::Arrays(arrays), shape });
        }
        if !matches!(shape[0], 1 | 3) {
            let what = format!("holds images of 1 or 3 channels, but the model takes {}; change `forward`", shape[0]);
            return Err(Failure::broken(path, what));
        }
        Ok(Images { source: Source::Folder(Folder::open(path)?), shape })
    }

    pub fn count(&self) -> usize {
        match &self.source {
            Source::Arrays(arrays) => arrays.count(),
            Source::Folder(folder) => folder.count(),
        }
    }

    /// [channels, height, width].
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// One more than the largest label.
    pub fn classes(&self) -> usize {
        match &self.source {
            Source::Arrays(arrays) => arrays.classes(),
            Source::Folder(folder) => folder.classes().len(),
        }
    }

    /// What the classes are called, in the order of their labels; None where they are numbers.
    pub fn class_names(&self) -> Option<&[String]> {
        match &self.source {
            Source::Arrays(_) => None,
            Source::Folder(folder) => Some(folder.classes()),
        }
    }

    pub fn path(&self) -> &Path {
        match &self.source {
            Source::Arrays(arrays) => arrays.path(),
            Source::Folder(folder) => folder.path(),
        }
    }

    /// Equal for the same images with the same labels. Of a folder, for the same names and lengths of files: it may be too large to be read.
    pub fn hash(&self) -> u64 {
        match &self.source {
            Source::Arrays(arrays) => arrays.hash(),
            Source::Folder(folder) => folder.hash(),
        }
    }

    /// A hash that tells an image from others and does not depend on them: of its pixels, or of its file's name.
    fn hash_of(&self, image: usize) -> u64 {
        match &self.source {
            Source::Arrays(arrays) => xxh3_64(arrays.pixels(image)),
            Source::Folder(folder) => xxh3_64(folder.name(image).as_bytes()),
        }
    }

    /// An image as it is looked at, 0 to 255, [channels, height, width].
    fn pixels(&self, image: usize, view: &View) -> Result<Vec<u8>> {
        match &self.source {
            Source::Arrays(arrays) => Ok(view.of_planes(arrays.pixels(image), self.shape)),
            Source::Folder(folder) => picture::decode(&folder.file(image), self.shape, view),
        }
    }

    fn label(&self, image: usize) -> usize {
        match &self.source {
            Source::Arrays(arrays) => arrays.label(image),
            Source::Folder(folder) => folder.label(image),
        }
    }
}

#[cfg(test)]
mod tests;
