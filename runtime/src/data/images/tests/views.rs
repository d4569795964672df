//! Which part of an image is looked at.

use super::super::view::{Part, View};
use super::*;
use crate::random::{Purpose, Stream};
use image::{GrayImage, Luma};
use proptest::prelude::*;

#[test]
fn the_middle_is_seven_eighths_of_the_shorter_side() {
    let part = View::Middle.part([400, 512], [224, 224]);
    let side = 400.0 * 7.0 / 8.0;
    let expected = Part { x: (512.0 - side) / 2.0, y: 25.0, width: side, height: side };
    let differences = [part.x - expected.x, part.y - expected.y, part.width - side, part.height - side];
    assert!(differences.iter().all(|difference| difference.abs() < 1e-9), "{part:?}");
    let whole = Part { x: 0.0, y: 0.0, width: 28.0, height: 28.0 };
    assert_eq!(View::Middle.part([28, 28], [28, 28]), whole);
}

#[test]
fn another_part_is_drawn_each_time_and_the_same_again_when_asked() {
    let ramp = GrayImage::from_fn(64, 64, |x, y| Luma([(2 * x + 2 * y) as u8]));
    let augment = Augment { crop: Some(0.08), flip: true };
    let look = |cursor| View::Random(augment, Stream::new(1, Purpose::Augmentation, "", cursor)).of(&ramp, [16, 16]);
    assert_eq!(look(5), look(5));
    assert_ne!(look(5), look(6));
}

proptest! {
    #[test]
    fn a_random_part_lies_inside_and_is_large_enough(
        seed: u64, height in 1u32..2000, width in 1u32..2000, least in 0.01f64..1.0,
    ) {
        let augment = Augment { crop: Some(least), flip: false };
        let part = View::Random(augment, Stream::new(seed, Purpose::Augmentation, "", 0)).part([height, width], [32, 32]);
        let Part { x, y, width: wide, height: high } = part;
        let [height, width] = [height, width].map(f64::from);
        prop_assert!(x >= 0.0 && y >= 0.0 && x + wide <= width + 1e-6 && y + high <= height + 1e-6, "{part:?}");
        let aspect = wide / high;
        prop_assert!((0.749..1.334).contains(&aspect), "{part:?}");
        // Only where no part of the image is of this aspect and so large, it is smaller.
        let square = height.min(width).powi(2);
        prop_assert!(wide * high >= (least * height * width).min(square) * (1.0 - 1e-9), "{part:?}");
    }
}
