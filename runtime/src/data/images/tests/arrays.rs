//! Small IDX files, right and wrong.

use super::super::*;
use super::{PLANE, set_of, write};
use crate::Kind;
use crate::data::Order;
use std::fs;
use std::sync::Arc;

fn idx(shape: &[u32], values: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, shape.len() as u8];
    file.extend(shape.iter().flat_map(|length| length.to_be_bytes()));
    file.extend(values);
    file
}

/// `count` images [2, 3] with pixels 0, 1, 2, … and labels 0 to 9 in turn.
fn folder(count: u8) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let images: Vec<u8> = (0..count * 6).collect();
    let labels: Vec<u8> = (0..count).map(|label| label % 10).collect();
    write(&folder, "train-images-idx3-ubyte", &idx(&[count.into(), 2, 3], &images));
    write(&folder, "train-labels-idx1-ubyte", &idx(&[count.into()], &labels));
    folder
}

fn set(count: u8, order: Order) -> ImageSet {
    set_of(folder(count).path(), PLANE, None, order)
}

#[test]
fn images_are_found_by_file_prefix_and_folder() {
    let folder = folder(12);
    for name in ["train-images-idx3-ubyte", "train", ""] {
        let images = Images::open(&folder.path().join(name), PLANE).unwrap();
        assert_eq!((images.count(), images.shape(), images.classes()), (12, [1, 2, 3], 10));
    }
}

#[test]
fn pixels_are_between_0_and_1_and_labels_beside_them() {
    let batch = set(12, Order::InOrder).batch(1, 2).unwrap();
    assert_eq!(
        batch.pixels,
        [6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0].map(|pixel| pixel / 255.0)
    );
    assert_eq!((batch.labels, batch.rows), (vec![1, 2], 2));
}

#[test]
fn channels_are_normalized_each_by_its_own() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "c-images-idx3-ubyte", &idx(&[1, 2, 1, 2], &[0, 255, 51, 102]));
    write(&folder, "c-labels-idx1-ubyte", &idx(&[1], &[3]));
    let images = Arc::new(Images::open(&folder.path().join("c"), [2, 1, 2]).unwrap());
    let normalize = Preparation { mean: vec![0.5, 0.0], std: vec![0.5, 0.1], augment: None };
    let set = ImageSet::whole(images, &normalize, Order::InOrder).unwrap();
    assert_eq!(set.images().shape(), [2, 1, 2]);
    assert_eq!(set.batch(0, 1).unwrap().pixels, [-1.0, 1.0, 2.0, 4.0]);
}

#[test]
fn an_epoch_has_each_image_once_and_any_batch_can_be_had_alone() {
    let set = set(30, Order::Shuffled { seed: 3 });
    assert_eq!(set.per_epoch(), 30);
    let whole = set.batch(0, 90).unwrap();
    let mut epochs: Vec<Vec<u32>> =
        whole.pixels.chunks(30 * 6).map(|epoch| epoch.chunks(6).map(|image| image[0].to_bits()).collect()).collect();
    assert_ne!(epochs[0], epochs[1]);
    let expected: Vec<u32> = (0..30u8).map(|image| (f32::from(image * 6) / 255.0).to_bits()).collect();
    for epoch in &mut epochs {
        epoch.sort_unstable();
        assert_eq!(*epoch, expected);
    }
    let alone = set.batch(25, 10).unwrap();
    assert_eq!(alone.pixels, whole.pixels[25 * 6..35 * 6]);
    assert_eq!(alone.labels, whole.labels[25..35]);
}

#[test]
fn held_out_images_are_not_trained_on() {
    let images = Arc::new(Images::open(folder(40).path(), PLANE).unwrap());
    let [train, validate] =
        ImageSet::hold_out(&images, 0.2, &Preparation::none(), Order::Shuffled { seed: 0 }).unwrap();
    let first_pixels = |set: &ImageSet| {
        let batch = set.batch(0, set.per_epoch() as usize).unwrap();
        let mut pixels: Vec<u32> = batch.pixels.chunks(6).map(|image| (image[0] * 255.0).round() as u32).collect();
        pixels.sort_unstable();
        pixels
    };
    let [trained, held_out] = [first_pixels(&train), first_pixels(&validate)];
    assert!((2..=16).contains(&held_out.len()), "{held_out:?}");
    let mut all = [trained, held_out].concat();
    all.sort_unstable();
    assert_eq!(all, (0..40).map(|image| image * 6).collect::<Vec<u32>>());
}

#[test]
fn every_wrong_file_gets_one_clear_sentence() {
    let whole = idx(&[2, 1, 1], &[5, 6]);
    let labels = idx(&[2], &[0, 1]);
    let longer = [&whole[..], &[0]].concat();
    let floats = [&[0, 0, 13, 1][..], &[0; 8]].concat();
    let huge = idx(&[u32::MAX; 3], &[]);
    let images = "train-images-idx3-ubyte";
    let cases: [(&[u8], &[u8], &str, &str); 11] = [
        (b"", &labels, images, "is not an IDX file (it does not start with two zero bytes); name another file"),
        (
            b"\x89PNG\r\n",
            &labels,
            images,
            "is not an IDX file (it does not start with two zero bytes); name another file",
        ),
        (b"\x1f\x8b\x08\x00", &labels, images, "is compressed; unpack it with `gunzip`"),
        (&floats, &labels, images, "has values of IDX type 13, but images and labels are bytes (8); convert it"),
        (&whole[..9], &labels, images, "is truncated; copy it again"),
        (&whole[..17], &labels, images, "is truncated; copy it again"),
        (&huge, &labels, images, "is truncated; copy it again"),
        (&longer, &labels, images, "has 1 bytes after its last value; copy it again"),
        (
            &labels,
            &labels,
            images,
            "has the shape [2], which is not that of images: [count, height, width]; name another file",
        ),
        (
            &whole,
            &whole,
            "train-labels-idx1-ubyte",
            "has labels of shape [2, 1, 1] for 2 images; take both files from one data set",
        ),
        (&whole, &labels[..8], "train-labels-idx1-ubyte", "is truncated; copy it again"),
    ];
    for (images, labels, at_fault, what) in cases {
        let folder = tempfile::tempdir().unwrap();
        write(&folder, "train-images-idx3-ubyte", images);
        write(&folder, "train-labels-idx1-ubyte", labels);
        let failure = Images::open(&folder.path().join("train"), [1, 1, 1]).err().unwrap();
        assert_eq!(failure.message, format!("`{}` {what}", folder.path().join(at_fault).display()));
        assert_eq!(failure.kind, Kind::Broken);
    }
}

#[test]
fn a_folder_must_make_clear_which_images() {
    let folder = folder(1);
    write(&folder, "t10k-images-idx3-ubyte", b"");
    let place = folder.path().display();
    let message = format!("`{place}` has 2 files of images; name one of them, such as `{place}/t10k`");
    assert_eq!(Images::open(folder.path(), PLANE).err().unwrap().message, message);

    fs::remove_file(folder.path().join("train-labels-idx1-ubyte")).unwrap();
    let missing = Images::open(&folder.path().join("train"), PLANE).err().unwrap();
    let message =
        format!("cannot read `{place}/train-labels-idx1-ubyte`: there is no such file or folder; check the path");
    assert_eq!((missing.kind, missing.message), (Kind::Missing, message));

    let nowhere = Images::open(&folder.path().join("digits"), PLANE).err().unwrap();
    let message = format!("cannot read `{place}/digits`: there is no such file or folder; check the path");
    assert_eq!((nowhere.kind, nowhere.message), (Kind::Missing, message));
    write(&folder, "digits", &idx(&[1, 1, 1], &[0]));
    let failure = Images::open(&folder.path().join("digits"), PLANE).err().unwrap();
    let what = "has no `images` in its name, so its labels cannot be found; rename it to `…-images-idx3-ubyte`";
    assert_eq!(failure.message, format!("`{place}/digits` {what}"));
}

#[test]
fn wrong_normalization_and_hold_out_are_said() {
    let images = Arc::new(Images::open(folder(2).path(), PLANE).unwrap());
    let said = |mean: &[f32], std: &[f32]| {
        let normalize = Preparation { mean: mean.to_vec(), std: std.to_vec(), augment: None };
        ImageSet::whole(images.clone(), &normalize, Order::InOrder).err().unwrap().message
    };
    assert_eq!(
        said(&[0.1, 0.2], &[1.0]),
        "`normalize` has 2 means and 1 deviations, but images have 1 channels; give one of each, or one per channel"
    );
    assert_eq!(said(&[0.1], &[0.0]), "`normalize` divides by 0; give the deviation of the pixels");
    let failure = ImageSet::hold_out(&images, 0.0, &Preparation::none(), Order::InOrder).err().unwrap();
    let what = "has 2 images, too few to hold out 0%; hold out more, or name a separate `validate`";
    assert_eq!(failure.message, format!("`{}` {what}", images.path().display()));
}

#[test]
fn arrays_of_another_size_than_the_model_takes_are_refused() {
    let folder = folder(1);
    let failure = Images::open(&folder.path().join("train"), [3, 4, 4]).err().unwrap();
    let what = "has images of [1, 2, 3], but the model takes [3, 4, 4] (channels, height, width); change `forward`";
    assert_eq!(failure.message, format!("`{}` {what}", folder.path().join("train-images-idx3-ubyte").display()));
}

#[test]
fn augmented_arrays_are_mirrored_now_and_then() {
    let mirror = Augment { crop: None, flip: true };
    let set = set_of(folder(1).path(), PLANE, Some(mirror), Order::Shuffled { seed: 1 });
    let epochs = set.batch(0, 64).unwrap().pixels;
    let straight = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0].map(|pixel| pixel / 255.0);
    let mirrored = [2.0, 1.0, 0.0, 5.0, 4.0, 3.0].map(|pixel| pixel / 255.0);
    let seen = |image: [f32; 6]| epochs.chunks(6).filter(|pixels| **pixels == image).count();
    assert_eq!(seen(straight) + seen(mirrored), 64);
    assert!((16..=48).contains(&seen(mirrored)));
}
