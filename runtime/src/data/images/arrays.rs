//! Images of one size with labels, from a pair of IDX files.

use super::idx::Idx;
use crate::{Failure, Result};
use std::fs;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// Images of one size and the class of each.
pub(super) struct Arrays {
    images: Idx,
    labels: Idx,
}

impl Arrays {
    /// `path` is the file of images. The labels are beside it, in `…-labels-idx1-ubyte`.
    ///
    /// Images of three axes are [count, height, width] with one channel, of four [count, channels, height, width].
    pub fn open(path: &Path) -> Result<Self> {
        let images = Idx::open(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let labels_path =
            path.with_file_name(name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1"));
        if labels_path == *path {
            let what = "has no `images` in its name, so its labels cannot be found; rename it to `…-images-idx3-ubyte`";
            return Err(Failure::broken(path, what));
        }
        let labels = Idx::open(&labels_path)?;
        if !matches!(images.shape.len(), 3 | 4) || images.shape.contains(&0) {
            let what = format!("has the shape {:?}, which is not that of images: [count, height, width]", images.shape);
            return Err(Failure::broken(path, format_args!("{what}; name another file")));
        }
        if labels.shape != images.shape[..1] {
            let [shape, count] = [format!("{:?}", labels.shape), format!("{}", images.shape[0])];
            let what = format!("has labels of shape {shape} for {count} images");
            return Err(Failure::broken(&labels_path, format_args!("{what}; take both files from one data set")));
        }
        Ok(Arrays { images, labels })
    }

    pub fn count(&self) -> usize {
        self.images.shape[0]
    }

    /// [channels, height, width].
    pub fn shape(&self) -> [usize; 3] {
        match self.images.shape[..] {
            [_, channels, height, width] => [channels, height, width],
            [.., height, width] => [1, height, width],
            _ => unreachable!("checked when opened"),
        }
    }

    /// One more than the largest label.
    pub fn classes(&self) -> usize {
        self.labels.values().iter().max().map_or(0, |&label| usize::from(label) + 1)
    }

    pub fn path(&self) -> &Path {
        &self.images.path
    }

    /// Equal for the same images with the same labels.
    pub fn hash(&self) -> u64 {
        xxh3_64(self.images.values()) ^ xxh3_64(self.labels.values()).rotate_left(1)
    }

    /// The pixels of an image, 0 to 255, [channels, height, width].
    pub fn pixels(&self, image: usize) -> &[u8] {
        let size = self.shape().iter().product::<usize>();
        &self.images.values()[image * size..][..size]
    }

    pub fn label(&self, image: usize) -> usize {
        usize::from(self.labels.values()[image])
    }
}

/// The file of images that a path means: itself; what `-images-idx3-ubyte` completes, as it does `data/mnist/train`; or the only such file of
/// a folder. None: a folder without one.
pub(super) fn images_file(path: &Path) -> Result<Option<PathBuf>> {
    if path.is_dir() {
        return only_images_file(path);
    }
    let mut longer = path.as_os_str().to_owned();
    longer.push(ENDING);
    let longer = PathBuf::from(longer);
    Ok(Some(if !path.exists() && longer.exists() { longer } else { path.to_owned() }))
}

const ENDING: &str = "-images-idx3-ubyte";

fn only_images_file(folder: &Path) -> Result<Option<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(|error| Failure::io("read", folder, &error))?;
    files.retain(|file| file.to_string_lossy().ends_with(ENDING));
    files.sort();
    match &files[..] {
        [] => Ok(None),
        [file] => Ok(Some(file.clone())),
        [first, ..] => {
            let example = first.to_string_lossy().replace(ENDING, "");
            let what = format!("has {} files of images", files.len());
            Err(Failure::broken(folder, format_args!("{what}; name one of them, such as `{example}`")))
        }
    }
}
