//! One of our checkpoints in the official layout.

use super::places::{Place, places};
use super::{Form, scales};
use crate::checkpoint::{self, State};
use crate::storage::{Dtype, TensorEntry, TensorFile, as_bytes, write_tensors};
use crate::torch::{TorchTensor, write_torch};
use crate::{Failure, Result};
use std::path::Path;
use tfc_compiler::model::Model;

/// Writes the parameters of `checkpoint`, of this model, to the file `out`.
///
/// # Errors
/// The official models are not of this kind, or the official code would compute another function with these tensors.
pub fn export(checkpoint: &Path, model: &Model, form: Form, out: &Path) -> Result<()> {
    let state = State::read(&checkpoint.join("state.json"))?;
    let sizes = state.sizes(model, 1)?;
    let places = places(model, &sizes)?;
    scales::check(model, &sizes, |scale| state.scales.get(scale).map_or(f64::NAN, |scale| scale.value)).map_err(
        |reason| {
            let what = format!("`{}` cannot stand in the official layout: {reason}", checkpoint.display());
            Failure::mistake(format!("{what}; bring the scale to its rule first, in a stage with `scale = retune`"))
        },
    )?;
    let weights = checkpoint::weights(checkpoint);
    let file = TensorFile::open(&weights)?;
    for Place { path, shape, .. } in &places {
        if file.shape(path)? != shape {
            let what = format!("has `{path}` of {:?} where its state says {shape:?}", file.shape(path)?);
            return Err(Failure::broken(&weights, format_args!("{what}; it was changed after it was written")));
        }
    }
    let bytes = |i: usize| Ok(as_bytes(file.values::<f32>(&places[i].path)?));
    match form {
        Form::Neox => {
            let tensor = |place: &Place| TorchTensor { name: place.name.clone(), shape: place.shape.clone() };
            write_torch(out, &places.iter().map(tensor).collect::<Vec<_>>(), bytes)
        }
        Form::HuggingFace => {
            let entry =
                |place: &Place| TensorEntry { name: place.name.clone(), dtype: Dtype::F32, shape: place.shape.clone() };
            write_tensors(out, &checkpoint::notes(), &places.iter().map(entry).collect::<Vec<_>>(), bytes)
        }
    }
}
