//! What of an image is looked at, and how it is brought to the model's size.
//!
//! While training, a random part of it (Inception's crop, as torchvision's `RandomResizedCrop` draws it), now and then mirrored; otherwise
//! the middle of it: scaled until it covers 8/7 of the size (256 for 224 pixels), then cut. What has the size already is taken as it is.

use crate::random::Stream;
use image::imageops::{self, FilterType};
use image::{GenericImageView, ImageBuffer, Luma, Pixel};

/// How training images are varied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augment {
    /// The least share of an image's area that is shown; None: the middle of it, as in evaluation.
    pub crop: Option<f64>,
    /// Whether half of the images are mirrored.
    pub flip: bool,
}

/// How one image is looked at.
pub(super) enum View {
    Middle,
    /// As the stream has it.
    Random(Augment, Stream),
}

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// How much more than the middle is kept around it.
const MARGIN: f64 = 8.0 / 7.0;
/// The most that width and height of a random part may differ.
const ASPECT: f64 = 4.0 / 3.0;
/// How often a part is drawn until it lies inside.
const TRIES: u64 = 10;

impl View {
    /// The image, [height, width] of which are `size`.
    pub fn of<I>(&self, image: &I, size: [u32; 2]) -> ImageBuffer<I::Pixel, Vec<u8>>
    where
        I: GenericImageView,
        I::Pixel: Pixel<Subpixel = u8> + 'static,
    {
        let (width, height) = image.dimensions();
        let part = self.part([height, width], size);
        let [left, top] = [(part.x, width), (part.y, height)].map(|(x, end)| (x.round() as u32).min(end - 1));
        let right = ((part.x + part.width).round() as u32).clamp(left + 1, width);
        let bottom = ((part.y + part.height).round() as u32).clamp(top + 1, height);
        let cut = imageops::crop_imm(image, left, top, right - left, bottom - top);
        let [high, wide] = size;
        let seen = imageops::resize(&*cut, wide, high, FilterType::Triangle);
        if self.is_mirrored() { imageops::flip_horizontal(&seen) } else { seen }
    }

    /// As [`View::of`], for planes [channels, height, width] of the model's own size.
    pub fn of_planes(&self, planes: &[u8], [_, height, width]: [usize; 3]) -> Vec<u8> {
        let View::Random(..) = self else { return planes.to_vec() };
        let size = [height, width].map(|n| n as u32);
        let seen = planes.chunks_exact(height * width).flat_map(|plane| {
            let plane: ImageBuffer<Luma<u8>, &[u8]> =
                ImageBuffer::from_raw(size[1], size[0], plane).expect("a plane has its size");
            self.of(&plane, size).into_raw()
        });
        seen.collect()
    }

    /// What is shown of an image of this [height, width].
    pub(super) fn part(&self, from: [u32; 2], size: [u32; 2]) -> Part {
        match self {
            View::Random(Augment { crop: Some(least), .. }, stream) => random_part(from, size, *least, stream),
            View::Random(..) | View::Middle => middle(from, size),
        }
    }

    fn is_mirrored(&self) -> bool {
        matches!(self, View::Random(Augment { flip: true, .. }, stream) if stream.uniform(0) < 0.5)
    }
}

fn middle(from: [u32; 2], size: [u32; 2]) -> Part {
    let [height, width] = from.map(f64::from);
    if from == size {
        return Part { x: 0.0, y: 0.0, width, height };
    }
    let [high, wide] = size.map(f64::from);
    // So many pixels of the image are one of the model's.
    let scale = (height / (MARGIN * high)).min(width / (MARGIN * wide));
    centred([height, width], [scale * high, scale * wide])
}

fn centred([height, width]: [f64; 2], [high, wide]: [f64; 2]) -> Part {
    Part { x: (width - wide) / 2.0, y: (height - high) / 2.0, width: wide, height: high }
}

/// A part whose area is uniform between `least` and all of the image's, and whose aspect, relative to the model's, is log-uniform between 3/4 and
/// 4/3.
fn random_part(from: [u32; 2], size: [u32; 2], least: f64, stream: &Stream) -> Part {
    let [height, width] = from.map(f64::from);
    let [high, wide] = size.map(f64::from);
    for attempt in 0..TRIES {
        let draw = |which| stream.uniform(1 + 4 * attempt + which);
        let area = (least + (1.0 - least) * draw(0)) * height * width;
        let aspect = wide / high * libm::exp((2.0 * draw(1) - 1.0) * libm::log(ASPECT));
        let part = [(area / aspect).sqrt(), (area * aspect).sqrt()];
        if part[0] <= height && part[1] <= width {
            let [y, x] = [draw(2) * (height - part[0]), draw(3) * (width - part[1])];
            return Part { x, y, width: part[1], height: part[0] };
        }
    }
    let scale = (height / high).min(width / wide);
    centred([height, width], [scale * high, scale * wide])
}
