//! Which images are drawn, in which order, and as which numbers.

use super::Images;
use super::view::{Augment, View};
use crate::data::Order;
use crate::random::{Purpose, Stream};
use crate::{Failure, Result};
use std::sync::Arc;
use std::thread;

/// What becomes of an image before the model sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Preparation {
    /// Pixels become (x − mean) / std, x in 0..1; a number for all channels, or one for each.
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
    /// Of what is drawn in random order: of training images.
    pub augment: Option<Augment>,
}

impl Preparation {
    /// Leaves pixels in 0..1.
    pub fn none() -> Self {
        Preparation { mean: vec![0.0], std: vec![1.0], augment: None }
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
    augment: Option<Augment>,
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
    pub fn whole(images: Arc<Images>, preparation: &Preparation, order: Order) -> Result<Self> {
        let chosen = (0..images.count()).collect();
        ImageSet::new(images, chosen, preparation, order)
    }

    /// All images, to evaluate on.
    pub fn evaluated(images: Arc<Images>, preparation: &Preparation) -> Result<Self> {
        let chosen = (0..images.count()).collect();
        ImageSet::of_all_kinds(images, chosen, preparation)
    }

    /// In the order of their hashes: files stand class by class, and where an evaluation sees the first of them only, they would all be of one.
    fn of_all_kinds(images: Arc<Images>, mut chosen: Vec<usize>, preparation: &Preparation) -> Result<Self> {
        chosen.sort_by_cached_key(|image| (images.hash_of(*image), *image));
        ImageSet::new(images, chosen, preparation, Order::InOrder)
    }

    /// Training and validation: an image is held out if its hash is among the lowest `fraction` of all
    /// hashes, whatever other images there are. The first set is drawn in `order`, the second as [`ImageSet::evaluated`].
    pub fn hold_out(images: &Arc<Images>, fraction: f64, preparation: &Preparation, order: Order) -> Result<[Self; 2]> {
        let threshold = (fraction * 2f64.powi(64)) as u64;
        let held_out = |image: &usize| images.hash_of(*image) < threshold;
        let (validate, train): (Vec<usize>, Vec<usize>) = (0..images.count()).partition(held_out);
        if validate.is_empty() || train.is_empty() {
            let what = format!("has {} images, too few to hold out {}%", images.count(), 100.0 * fraction);
            let other = if validate.is_empty() { "more" } else { "less" };
            return Err(Failure::broken(
                images.path(),
                format_args!("{what}; hold out {other}, or name a separate `validate`"),
            ));
        }
        Ok([
            ImageSet::new(images.clone(), train, preparation, order)?,
            ImageSet::of_all_kinds(images.clone(), validate, preparation)?,
        ])
    }

    fn new(images: Arc<Images>, chosen: Vec<usize>, preparation: &Preparation, order: Order) -> Result<Self> {
        let [channels, ..] = images.shape();
        let Preparation { mean, std, augment } = preparation;
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
        Ok(ImageSet { images, chosen, order, levels, augment: *augment })
    }

    pub fn images(&self) -> &Images {
        &self.images
    }

    /// How many images there are in an epoch.
    pub fn per_epoch(&self) -> u64 {
        self.chosen.len() as u64
    }

    /// The `rows` images after the first `cursor` ones: the next cursor is `cursor + rows`. Decoded by all cores, for each image depends on its
    /// cursor alone.
    ///
    /// # Errors
    /// A file cannot be read or is no image.
    pub fn batch(&self, cursor: u64, rows: usize) -> Result<ImageBatch> {
        let size = self.images.shape().iter().product::<usize>();
        let mut pixels = vec![0.0; rows * size];
        let mut labels = vec![0; rows];
        let share = rows.div_ceil(thread::available_parallelism().map_or(1, usize::from)).max(1);
        let shares = pixels.chunks_mut(share * size).zip(labels.chunks_mut(share)).zip((cursor..).step_by(share));
        thread::scope(|scope| {
            let fill = |((pixels, labels), cursor): ((&mut [f32], &mut [i32]), u64)| self.fill(cursor, pixels, labels);
            let works: Vec<_> = shares.map(|share| scope.spawn(move || fill(share))).collect();
            works.into_iter().try_for_each(|work| work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        Ok(ImageBatch { pixels, labels, rows })
    }

    /// The images from `cursor` on, one for each label.
    fn fill(&self, cursor: u64, pixels: &mut [f32], labels: &mut [i32]) -> Result<()> {
        let [channels, height, width] = self.images.shape();
        let rows = pixels.chunks_mut((channels * height * width).max(1)).zip(labels);
        for (cursor, (row, label)) in (cursor..).zip(rows) {
            let image = self.chosen[self.order.draw(cursor, self.per_epoch()).item as usize];
            let seen = self.images.pixels(image, &self.view(cursor))?;
            let planes = row.chunks_mut(height * width).zip(seen.chunks(height * width)).zip(&self.levels);
            for ((row, plane), levels) in planes {
                row.iter_mut().zip(plane).for_each(|(to, pixel)| *to = levels[usize::from(*pixel)]);
            }
            *label = self.images.label(image) as i32;
        }
        Ok(())
    }

    /// How the image at a cursor is looked at: another time each epoch while training.
    fn view(&self, cursor: u64) -> View {
        match (self.augment, self.order) {
            (Some(augment), Order::Shuffled { seed }) => {
                View::Random(augment, Stream::new(seed, Purpose::Augmentation, "", cursor))
            }
            (Some(_) | None, _) => View::Middle,
        }
    }
}
