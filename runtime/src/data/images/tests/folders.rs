//! Folders of small PNG and JPEG files, right and wrong.

use super::super::*;
use super::{set_of, write};
use crate::Kind;
use crate::data::Order;
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use std::io::Cursor;
use std::sync::Arc;
use tempfile::TempDir;

/// Two pixels by one, red and blue, with a palette.
const PALETTE: &[u8] = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x02\x00\x00\x00\x01\x01\x03\x00\x00\x00\xce\xec\xed\xc9\x00\x00\x00\x06PLTE\xff\x00\x00\x00\x00\xffl\xa1\xfd\x8e\x00\x00\x00\x0aIDATx\x9ccp\x00\x00\x00B\x00A)7\xf4\xef\x00\x00\x00\x00IEND\xaeB`\x82";
/// Eight pixels by eight of red, CMYK as Adobe writes it.
const CMYK: &[u8] = b"\xff\xd8\xff\xee\x00\x0eAdobe\x00d\x00\x00\x00\x00\x00\xff\xdb\x00C\x00\x1b\x12\x14\x17\x14\x11\x1b\x17\x16\x17\x1e\x1c\x1b (B+(%%(Q:=0B`Ued_U][jx\x99\x81jq\x90s[]\x85\xb5\x86\x90\x9e\xa3\xab\xad\xabg\x80\xbc\xc9\xba\xa6\xc7\x99\xa8\xab\xa4\xff\xc0\x00\x14\x08\x00\x08\x00\x08\x04C\x11\x00M\x11\x00Y\x11\x00K\x11\x00\xff\xc4\x00\x14\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x06\xff\xc4\x00\x14\x10\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xda\x00\x0e\x04C\x00M\x00Y\x00K\x00\x00?\x00L22L\xff\xd9";

const RED: Rgb<u8> = Rgb([255, 0, 0]);

fn bytes(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A folder of one red RGB file each of the classes `cat` and `dog`.
fn two_classes() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let red = bytes(RgbImage::from_pixel(4, 4, RED), ImageFormat::Png);
    write(&folder, "dog/1.png", &red);
    write(&folder, "cat/2.PNG", &red);
    folder
}

/// The pixels of the first image of class `a`, brought to this shape.
fn seen(name: &str, file: &[u8], shape: [usize; 3]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, &format!("a/{name}"), file);
    let batch = set_of(folder.path(), shape, None, Order::InOrder).batch(0, 1).unwrap();
    batch.pixels.iter().map(|pixel| (pixel * 255.0).round() as u8).collect()
}

#[test]
fn sub_folders_are_classes_in_the_order_of_their_names() {
    let folder = two_classes();
    for passed_over in [".hidden/3.png", "dog/notes.txt", "dog/._1.png", "cat/inner/4.png", "readme.md"] {
        write(&folder, passed_over, b"no image");
    }
    let images = Images::open(folder.path(), [3, 4, 4]).unwrap();
    assert_eq!((images.count(), images.classes()), (2, 2));
    assert_eq!(images.class_names().unwrap(), ["cat", "dog"]);
    let batch = set_of(folder.path(), [3, 4, 4], None, Order::InOrder).batch(0, 2).unwrap();
    assert_eq!(batch.labels, [0, 1]);
    let red: Vec<f32> = [1.0, 0.0, 0.0].iter().flat_map(|x| [*x; 16]).collect();
    assert_eq!(batch.pixels, [red.clone(), red].concat());
}

#[test]
fn whatever_a_file_holds_becomes_grey_or_rgb_of_8_bits() {
    let transparent = RgbaImage::from_pixel(2, 1, Rgba([10, 20, 30, 0]));
    assert_eq!(seen("1.png", &bytes(transparent, ImageFormat::Png), [3, 1, 2]), [10, 10, 20, 20, 30, 30]);
    let grey = GrayImage::from_pixel(2, 1, Luma([7]));
    assert_eq!(seen("1.png", &bytes(grey, ImageFormat::Png), [3, 1, 2]), [7; 6]);
    let deep = image::ImageBuffer::<Luma<u16>, _>::from_pixel(2, 1, Luma([257 * 9]));
    assert_eq!(seen("1.png", &bytes(deep, ImageFormat::Png), [1, 1, 2]), [9, 9]);
    assert_eq!(seen("1.png", PALETTE, [3, 1, 2]), [255, 0, 0, 0, 0, 255]);
    let red = seen("1.jpg", CMYK, [3, 8, 8]);
    assert!(red[..64].iter().all(|x| *x > 230) && red[64..].iter().all(|x| *x < 40), "{red:?}");
    let white = RgbImage::from_pixel(3, 3, Rgb([255; 3]));
    assert_eq!(seen("1.jpeg", &bytes(white, ImageFormat::Jpeg), [1, 3, 3]), [255; 9]);
}

#[test]
fn images_of_all_sizes_are_brought_to_one() {
    // Left third black, middle third white, right third black: the middle is what is seen of it.
    let wide = GrayImage::from_fn(48, 16, |x, _| Luma([if (16..32).contains(&x) { 255 } else { 0 }]));
    assert_eq!(seen("1.png", &bytes(wide, ImageFormat::Png), [1, 8, 8]), [255; 64]);
    let tiny = GrayImage::from_pixel(1, 1, Luma([100]));
    assert_eq!(seen("1.png", &bytes(tiny, ImageFormat::Png), [1, 8, 8]), [100; 64]);
}

#[test]
fn a_broken_file_is_named() {
    let png = bytes(RgbImage::from_fn(64, 64, |x, y| Rgb([(x * y) as u8, x as u8, y as u8])), ImageFormat::Png);
    let jpeg = bytes(RgbImage::from_fn(64, 64, |x, y| Rgb([(x * y) as u8, x as u8, y as u8])), ImageFormat::Jpeg);
    // A thumbnail before the picture has an end of its own.
    let thumbnail = bytes(RgbImage::from_pixel(8, 8, RED), ImageFormat::Jpeg);
    let length = (thumbnail.len() as u16 + 2).to_be_bytes();
    let with_thumbnail = [&jpeg[..2], &[0xFF, 0xE1], &length, &thumbnail, &jpeg[2..jpeg.len() / 2]].concat();
    let cases: [(&str, &[u8], &str); 6] = [
        ("3.png", &png[..png.len() / 2], "is broken ("),
        ("3.png", b"", "is no PNG or JPEG file; convert it, or remove it"),
        ("3.png", b"GIF89a", "is no PNG or JPEG file; convert it, or remove it"),
        ("3.jpg", &jpeg[..jpeg.len() / 2], "is a truncated JPEG file; copy it again, or remove it"),
        ("3.jpg", &with_thumbnail, "is a truncated JPEG file; copy it again, or remove it"),
        ("3.jpg", &jpeg[..20], "is broken ("),
    ];
    for (name, file, what) in cases {
        let folder = two_classes();
        write(&folder, &format!("dog/{name}"), file);
        let failure = set_of(folder.path(), [3, 4, 4], None, Order::InOrder).batch(0, 3).unwrap_err();
        let said = format!("`{}` {what}", folder.path().join("dog").join(name).display());
        assert!(failure.message.starts_with(&said), "{} is not {said}", failure.message);
        assert_eq!((failure.kind, failure.message.lines().count()), (Kind::Broken, 1));
    }
}

#[test]
fn a_folder_without_classes_of_images_is_refused() {
    let said = |files: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|file| write(&folder, file, b""));
        let failure = Images::open(folder.path(), [3, 4, 4]).err().unwrap();
        failure.message.replace(&folder.path().display().to_string(), "FOLDER")
    };
    let neither = "`FOLDER` has neither a file `…-images-idx3-ubyte` nor sub-folders of images; name another folder";
    assert_eq!(said(&[]), neither);
    assert_eq!(said(&["notes.txt"]), neither);
    let loose = "`FOLDER` has images, but no sub-folders; put those of each class into a folder of its own";
    assert_eq!(said(&["1.png", "2.jpg"]), loose);
    let empty =
        "`FOLDER` has sub-folders, but no PNG or JPEG file in them (`.png`, `.jpg`, `.jpeg`); name another folder";
    assert_eq!(said(&["a/notes.txt", "b/1.gif"]), empty);
    let channels = Images::open(two_classes().path(), [4, 4, 4]).err().unwrap().message;
    assert!(
        channels.ends_with("holds images of 1 or 3 channels, but the model takes 4; change `forward`"),
        "{channels}"
    );
}

#[test]
fn held_out_files_do_not_depend_on_others() {
    let folder = tempfile::tempdir().unwrap();
    let image = |value: u8| bytes(GrayImage::from_pixel(1, 1, Luma([value])), ImageFormat::Png);
    (0..40).for_each(|i| write(&folder, &format!("{}/{i:02}.png", i % 2), &image(i)));
    let held = || {
        let images = Arc::new(Images::open(folder.path(), [1, 1, 1]).unwrap());
        let [_, held] = ImageSet::hold_out(&images, 0.3, &Preparation::none(), Order::InOrder).unwrap();
        let batch = held.batch(0, held.per_epoch() as usize).unwrap();
        batch.pixels.iter().map(|pixel| (pixel * 255.0).round() as u8).collect::<Vec<u8>>()
    };
    let before = held();
    assert!((4..=20).contains(&before.len()), "{before:?}");
    (40..60).for_each(|i| write(&folder, &format!("0/{i}.png"), &image(i)));
    let after: Vec<u8> = held().into_iter().filter(|i| *i < 40).collect();
    assert_eq!(before, after);
}

#[test]
fn the_hash_sees_names_classes_and_lengths() {
    let hash = |folder: &TempDir| Images::open(folder.path(), [3, 4, 4]).unwrap().hash();
    let folder = two_classes();
    let before = hash(&folder);
    assert_eq!(before, hash(&two_classes()));
    write(&folder, "dog/3.png", b"");
    assert_ne!(before, hash(&folder));
}

/// Files stand class by class; the first few to evaluate on are of all classes nevertheless.
#[test]
fn the_first_images_to_evaluate_on_are_of_all_classes() {
    let folder = tempfile::tempdir().unwrap();
    let red = bytes(RgbImage::from_pixel(4, 4, RED), ImageFormat::Png);
    for class in ["a", "b", "c", "d"] {
        (0..40).for_each(|image| write(&folder, &format!("{class}/{image}.png"), &red));
    }
    let images = Arc::new(Images::open(folder.path(), [3, 4, 4]).unwrap());
    let whole = ImageSet::evaluated(images.clone(), &Preparation::none()).unwrap();
    let [_, held_out] = ImageSet::hold_out(&images, 0.5, &Preparation::none(), Order::Shuffled { seed: 0 }).unwrap();
    for set in [whole, held_out] {
        let first: Vec<i32> = set.batch(0, 32).unwrap().labels;
        assert!((0..4).all(|class| first.iter().filter(|label| **label == class).count() >= 3), "{first:?}");
    }
}
