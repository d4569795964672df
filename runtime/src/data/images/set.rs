//! Which images are drawn, in which order, and as which numbers.

use super::Images;
use crate::data::Order;
use crate::{Failure, Result};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Makes pixels (x − mean) / std, x in 0..1; a number for all channels, or one for each.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalize {
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
}

impl Normalize {
    /// Leaves pixels in 0..1.
    pub fn none() -> Self {
        Normalize { mean: vec![0.0], std: vec![1.0] }
    }
}

/// Images to draw from, epoch after epoch.
pub struct ImageSet {
    images: Arc<Images>,
    /// Which of them.
    chosen: Vec<usize>,
    order: Order,
    /// For each channel, the number that stands for each value of a pixel.
    levels: Vec<[f32; 256]>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ImageBatch {
    /// [rows, channels, height, width].
    pub pixels: Vec<f32>,
    /// One per row: the class of the image.
    pub labels: Vec<i32>,
    pub rows: usize,
}

impl ImageSet {
    /// All images.
    pub fn whole(images: Arc<Images>, normalize: &Normalize, order: Order) -> Result<Self> {
        let chosen = (0..images.count()).collect();
        ImageSet::new(images, chosen, normalize, order)
    }

    /// Training and validation: an image is held out if the hash of its pixels is among the lowest `fraction` of all
    /// hashes, whatever other images there are. The first set is drawn in `order`, the second as it is.
    pub fn hold_out(images: &Arc<Images>, fraction: f64, normalize: &Normalize, order: Order) -> Result<[Self; 2]> {
        let threshold = (fraction * 2f64.powi(64)) as u64;
        let held_out = |image: &usize| xxh3_64(images.pixels(*image)) < threshold;
        let (validate, train): (Vec<usize>, Vec<usize>) = (0..images.count()).partition(held_out);
        if validate.is_empty() || train.is_empty() {
            let what = format!("has {} images, too few to hold out {}%", images.count(), 100.0 * fraction);
            return Err(Failure::broken(
                images.path(),
                format_args!("{what}; hold out more, or name a separate `validate`"),
            ));
        }
        Ok([
            ImageSet::new(images.clone(), train, normalize, order)?,
            ImageSet::new(images.clone(), validate, normalize, Order::InOrder)?,
        ])
    }

    fn new(images: Arc<Images>, chosen: Vec<usize>, normalize: &Normalize, order: Order) -> Result<Self> {
        let [channels, ..] = images.shape();
        let Normalize { mean, std } = normalize;
        if [mean, std].iter().any(|values| ![1, channels].contains(&values.len())) {
            let counts = format!("{} means and {} deviations", mean.len(), std.len());
            let way_out = "give one of each, or one per channel";
            return Err(Failure::mistake(format!(
                "`normalize` has {counts}, but images have {channels} channels; {way_out}"
            )));
        }
        if let Some(std) = std.iter().find(|std| !std.is_normal()) {
            return Err(Failure::mistake(format!("`normalize` divides by {std}; give the deviation of the pixels")));
        }
        let levels = |channel: usize| {
            let [mean, std] = [mean, std].map(|values| values[channel % values.len()]);
            std::array::from_fn(|pixel| (pixel as f32 / 255.0 - mean) / std)
        };
        let levels = (0..channels).map(levels).collect();
        Ok(ImageSet { images, chosen, order, levels })
    }

    pub fn images(&self) -> &Images {
        &self.images
    }

    /// How many images there are in an epoch.
    pub fn per_epoch(&self) -> u64 {
        self.chosen.len() as u64
    }

    /// The `rows` images after the first `cursor` ones: the next cursor is `cursor + rows`.
    pub fn batch(&self, cursor: u64, rows: usize) -> ImageBatch {
        let [channels, height, width] = self.images.shape();
        let mut pixels = Vec::with_capacity(rows * channels * height * width);
        let mut labels = Vec::with_capacity(rows);
        for cursor in cursor..cursor + rows as u64 {
            let image = self.chosen[self.order.draw(cursor, self.per_epoch()).item as usize];
            for (plane, levels) in self.images.pixels(image).chunks_exact(height * width).zip(&self.levels) {
                pixels.extend(plane.iter().map(|&pixel| levels[usize::from(pixel)]));
            }
            labels.push(i32::from(self.images.label(image)));
        }
        ImageBatch { pixels, labels, rows }
    }
}
