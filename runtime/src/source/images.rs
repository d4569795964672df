//! Images of one size, with their classes.

use crate::data::{ImageSet, Images, Normalize, Order};
use crate::device::{HostTensor, Named};
use crate::train::{Batches, StageData};
use crate::{Failure, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tfc_compiler::model::{self, DataRecipe, InputKind, Model, Validation};

pub(super) fn open(model: &Model, recipe: &DataRecipe, order: Order) -> Result<StageData> {
    let input = ImageInput::of(model)?;
    let normalize = normalize(Some(recipe));
    let load = |corpus: &model::Corpus| Ok::<_, Failure>(Arc::new(input.check(Images::open(&one_path(corpus)?)?)?));
    let whole = load(&recipe.train)?;
    let mut train = None;
    let mut validate = Vec::new();
    for (name, validation) in &recipe.validate {
        let set = match validation {
            Validation::Paths(corpus) => ImageSet::whole(load(corpus)?, &normalize, Order::InOrder)?,
            Validation::HoldOut(fraction) => {
                let [rest, held] = ImageSet::hold_out(&whole, *fraction, &normalize, order)?;
                train = Some(rest);
                held
            }
        };
        validate.push((name.clone(), input.batches(set)));
    }
    let train = match train {
        Some(train) => train,
        None => ImageSet::whole(whole, &normalize, order)?,
    };
    Ok(StageData { train: input.batches(train), validate, tokenizer: None })
}

/// Images to evaluate on, prepared as a stage's data says.
pub fn open_images(model: &Model, path: &Path, recipe: Option<&DataRecipe>) -> Result<Box<dyn Batches>> {
    let input = ImageInput::of(model)?;
    let images = Arc::new(input.check(Images::open(path)?)?);
    Ok(input.batches(ImageSet::whole(images, &normalize(recipe), Order::InOrder)?))
}

fn one_path(corpus: &model::Corpus) -> Result<PathBuf> {
    match corpus.paths.as_slice() {
        [path] => Ok(PathBuf::from(path)),
        paths => Err(Failure::mistake(format!("{} paths are named as one set of images; name one", paths.len()))),
    }
}

fn normalize(recipe: Option<&DataRecipe>) -> Normalize {
    match recipe.and_then(|recipe| recipe.images.as_ref()) {
        None => Normalize::none(),
        Some(images) => Normalize { mean: narrow(&images.mean), std: narrow(&images.std) },
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

    fn check(&self, images: Images) -> Result<Images> {
        if images.shape() != self.shape {
            let what = format!("has images of {:?}, but the model takes {:?}", images.shape(), self.shape);
            return Err(Failure::broken(
                images.path(),
                format_args!("{what} (channels, height, width); change `forward`"),
            ));
        }
        match &self.class {
            Some((name, classes)) if images.classes() > *classes => {
                let what = format!("has {} classes, but `{name}` has {classes}; change `forward`", images.classes());
                Err(Failure::broken(images.path(), what))
            }
            Some(_) | None => Ok(images),
        }
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
        let batch = self.set.batch(cursor, rows as usize);
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
}
