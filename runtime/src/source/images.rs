//! Images of one size, with their classes.

use crate::data::{Augment, ImageSet, Images, Order, Preparation};
use crate::device::{HostTensor, Named};
use crate::train::{Batches, StageData};
use crate::{Failure, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tfc_compiler::model::{self, DataRecipe, InputKind, Model, Validation};

pub(super) fn open(model: &Model, recipe: &DataRecipe, order: Order) -> Result<StageData> {
    let input = ImageInput::of(model)?;
    let preparation = preparation(Some(recipe));
    let whole = input.load(&one_path(&recipe.train)?)?;
    let mut train = None;
    let mut validate = Vec::new();
    for (name, validation) in &recipe.validate {
        let set = match validation {
            Validation::Paths(corpus) => {
                let images = input.load(&one_path(corpus)?)?;
                same_classes(&whole, &images)?;
                ImageSet::evaluated(images, &preparation)?
            }
            Validation::HoldOut(fraction) => {
                let [rest, held] = ImageSet::hold_out(&whole, *fraction, &preparation, order)?;
                train = Some(rest);
                held
            }
        };
        validate.push((name.clone(), input.batches(set)));
    }
    let train = match train {
        Some(train) => train,
        None => ImageSet::whole(whole, &preparation, order)?,
    };
    Ok(StageData { train: input.batches(train), validate, tokenizer: None })
}

/// Images to evaluate on, prepared as a stage's data says.
pub fn open_images(model: &Model, path: &Path, recipe: Option<&DataRecipe>) -> Result<Box<dyn Batches>> {
    let input = ImageInput::of(model)?;
    Ok(input.batches(ImageSet::evaluated(input.load(path)?, &preparation(recipe))?))
}

fn one_path(corpus: &model::Corpus) -> Result<PathBuf> {
    match corpus.paths.as_slice() {
        [path] => Ok(PathBuf::from(path)),
        paths => Err(Failure::mistake(format!("{} paths are named as one set of images; name one", paths.len()))),
    }
}

/// Labels are places among the names of classes, so both must have the same.
fn same_classes(train: &Images, validate: &Images) -> Result<()> {
    let (Some(trained), Some(others)) = (train.class_names(), validate.class_names()) else { return Ok(()) };
    let Some((one, other)) = trained.iter().zip(others).find(|(one, other)| one != other) else { return Ok(()) };
    let what = format!("has the class `{other}` where `{}` has `{one}`", train.path().display());
    Err(Failure::broken(validate.path(), format_args!("{what}; give both a sub-folder for each class")))
}

fn preparation(recipe: Option<&DataRecipe>) -> Preparation {
    match recipe.and_then(|recipe| recipe.images.as_ref()) {
        None => Preparation::none(),
        Some(images) => Preparation {
            mean: narrow(&images.mean),
            std: narrow(&images.std),
            augment: images.augment.map(|model::Augment { crop, flip }| Augment { crop, flip }),
        },
    }
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|x| *x as f32).collect()
}

/// The inputs of an image classifier.
struct ImageInput {
    image: String,
    shape: [usize; 3],
    /// The class's name and how many there are.
    class: Option<(String, usize)>,
}

impl ImageInput {
    fn of(model: &Model) -> Result<ImageInput> {
        let mut found = None;
        let mut class = None;
        for input in &model.inputs {
            match input.kind {
                InputKind::Image { channels, height, width } => {
                    found = Some((input.name.clone(), [channels, height, width].map(|n| n as usize)));
                }
                InputKind::Class { classes } => class = Some((input.name.clone(), classes as usize)),
                InputKind::TokenIds { .. } | InputKind::Tensor { .. } => {
                    let why = format!("the input `{}` cannot be read from image files", input.name);
                    return Err(Failure::mistake(why));
                }
            }
        }
        let (image, shape) = found.ok_or_else(|| Failure::mistake("the model takes no images"))?;
        Ok(ImageInput { image, shape, class })
    }

    /// Opens images and makes sure that their classes are the model's.
    fn load(&self, path: &Path) -> Result<Arc<Images>> {
        let images = Images::open(path, self.shape)?;
        let Some((name, classes)) = &self.class else { return Ok(Arc::new(images)) };
        let found = images.classes();
        if let Some([only]) = images.class_names() {
            let what = format!(
                "has one class only, `{only}`, so there is nothing to tell apart; add a sub-folder for another"
            );
            return Err(Failure::broken(images.path(), what));
        }
        // A folder that is missing would shift the labels of those behind it; numbers may be missing.
        let fits = if images.class_names().is_some() { found == *classes } else { found <= *classes };
        if !fits {
            let plural = if found == 1 { "class" } else { "classes" };
            let what = format!("has {found} {plural}, but `{name}` has {classes}; change `forward`");
            return Err(Failure::broken(images.path(), what));
        }
        Ok(Arc::new(images))
    }

    fn batches(&self, set: ImageSet) -> Box<dyn Batches> {
        let class = self.class.as_ref().map(|(name, _)| name.clone());
        Box::new(ImageBatches { set, image: self.image.clone(), class })
    }
}

struct ImageBatches {
    set: ImageSet,
    image: String,
    class: Option<String>,
}

impl Batches for ImageBatches {
    fn per_epoch(&self) -> u64 {
        self.set.per_epoch()
    }

    fn hash(&self) -> u64 {
        self.set.images().hash()
    }

    fn inputs(&self, cursor: u64, rows: u64) -> Result<Vec<Named>> {
        let batch = self.set.batch(cursor, rows as usize)?;
        let [channels, height, width] = self.set.images().shape();
        let pixels = HostTensor::F32 { shape: vec![batch.rows, channels, height, width], data: batch.pixels };
        let mut inputs = vec![(self.image.clone(), pixels)];
        if let Some(class) = &self.class {
            inputs.push((class.clone(), HostTensor::I32 { shape: vec![batch.rows], data: batch.labels }));
        }
        Ok(inputs)
    }

    fn targets(&self, _: u64, rows: u64) -> Result<u64> {
        Ok(rows)
    }

    fn class_names(&self) -> &[String] {
        self.set.images().class_names().unwrap_or_default()
    }
}
