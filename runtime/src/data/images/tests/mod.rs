//! What IDX files and folders become in a batch.

mod arrays;
mod folders;
mod views;

use super::*;
use crate::data::Order;
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;

/// The shape of the small IDX images.
const PLANE: [usize; 3] = [1, 2, 3];

fn write(folder: &TempDir, name: &str, bytes: &[u8]) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// All images of a place, pixels from 0 to 1.
fn set_of(path: &Path, shape: [usize; 3], augment: Option<Augment>, order: Order) -> ImageSet {
    let images = Arc::new(Images::open(path, shape).unwrap());
    ImageSet::whole(images, &Preparation { augment, ..Preparation::none() }, order).unwrap()
}
