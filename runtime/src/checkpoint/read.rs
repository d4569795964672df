//! Reads a checkpoint into a session.

use super::{MODEL, OPTIMIZER, State, moment_names, weights};
use crate::device::{HostTensor, Session, shape_at};
use crate::storage::{Dtype, TensorFile};
use crate::{Failure, Kind, Result};
use std::path::Path;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::model::{Model, Parameter};
use tfc_compiler::size::SizeValues;
use tfc_compiler::storage::Storage;
use tfc_grammar::did_you_mean::did_you_mean;

/// A tensor of a file and where it belongs.
struct Wanted {
    name: String,
    shape: Vec<usize>,
    storage: Storage,
}

/// The sizes of a session that is to hold the checkpoint in this state, for so many sequences. Its tensors are looked at before memory is taken for them.
///
/// # Errors
/// The state was written by a model with other token axes, does not say what the tensors are, or these are not the model's.
pub fn sizes_of(checkpoint: &Path, model: &Model, state: &State, batch: u64) -> Result<SizeValues> {
    let sizes = state.sizes(model, batch)?;
    let path = weights(checkpoint);
    let file = TensorFile::open(&path)?;
    for parameter in &model.parameters {
        // What is not there, or has other axes, is of another model.
        let Ok(shape) = file.shape(&parameter.path) else { continue };
        let said = shape_at(&parameter.shape, &sizes);
        if shape.len() == said.len() && parameter.grows.iter().any(|(axis, _)| shape[*axis] != said[*axis]) {
            let what =
                format!("has a state that does not fit `{}`, which is {shape:?} and not {said:?}", parameter.path);
            return Err(Failure::broken(checkpoint, format_args!("{what}; one of them was changed, copy it again")));
        }
    }
    verify(&path, &file, &wanted_parameters(model, &sizes))?;
    Ok(sizes)
}

/// Fills a session of the state's sizes with the checkpoint's parameters, moments and scales.
///
/// # Errors
/// Files that are not whole, or not of this model; the session is then to be thrown away.
pub fn load(checkpoint: &Path, compiled: &Compiled, session: &mut dyn Session, state: &State) -> Result<()> {
    load_for_use(checkpoint, compiled, session, state)?;
    if state.done.steps == 0 && !checkpoint.join(OPTIMIZER).exists() {
        zero_moments(&compiled.model, session)?;
    } else {
        load_moments(checkpoint, compiled, session)?;
    }
    let model = &compiled.model;
    if state.rows.len() != model.parameters.len() {
        return Err(Failure::broken(checkpoint, "has another number of parameters than the model"));
    }
    for (lineage, parameter) in state.rows.iter().zip(&model.parameters) {
        if lineage.parameter != parameter.path || lineage.rows() != crate::rows::rows(parameter, session.sizes()) {
            let what = format!("has a state that does not fit `{}`", parameter.path);
            return Err(Failure::broken(checkpoint, format_args!("{what}; it was changed after it was written")));
        }
    }
    Ok(())
}

/// As [`load`] without the moments: for evaluating and generating.
pub fn load_for_use(checkpoint: &Path, compiled: &Compiled, session: &mut dyn Session, state: &State) -> Result<()> {
    load_parameters(checkpoint, compiled, session)?;
    if state.scales.len() != compiled.model.scales.len() {
        return Err(Failure::broken(checkpoint, "has another number of scales than the model"));
    }
    for (i, scale) in state.scales.iter().enumerate() {
        session.write(Storage::Scale(i as u32), &HostTensor::scalar(scale.value))?;
    }
    Ok(())
}

/// Fills the parameters alone.
pub fn load_parameters(checkpoint: &Path, compiled: &Compiled, session: &mut dyn Session) -> Result<()> {
    load_weights(&checkpoint.join(MODEL), compiled, session)
}

/// Fills the parameters from the file `path`.
pub fn load_weights(path: &Path, compiled: &Compiled, session: &mut dyn Session) -> Result<()> {
    load_tensors(path, &wanted_parameters(&compiled.model, session.sizes()), session)
}

fn wanted_parameters(model: &Model, sizes: &SizeValues) -> Vec<Wanted> {
    let wanted = |(i, parameter): (usize, &Parameter)| Wanted {
        name: parameter.path.clone(),
        shape: shape_at(&parameter.shape, sizes),
        storage: Storage::Parameter(i as u32),
    };
    model.parameters.iter().enumerate().map(wanted).collect()
}

/// The moments of what no update has seen.
///
/// # Errors
/// The device gave up.
pub fn zero_moments(model: &Model, session: &mut dyn Session) -> Result<()> {
    for i in 0..model.parameters.len() as u32 {
        session.zero(Storage::FirstMoment(i))?;
        session.zero(Storage::SecondMoment(i))?;
    }
    Ok(())
}

/// Fills the moments alone.
pub fn load_moments(checkpoint: &Path, compiled: &Compiled, session: &mut dyn Session) -> Result<()> {
    let mut wanted = Vec::new();
    for (i, parameter) in compiled.model.parameters.iter().enumerate() {
        let storages = [Storage::FirstMoment(i as u32), Storage::SecondMoment(i as u32)];
        for (name, storage) in moment_names(&parameter.path).into_iter().zip(storages) {
            wanted.push(Wanted { name, shape: shape_at(&parameter.shape, session.sizes()), storage });
        }
    }
    load_tensors(&checkpoint.join(OPTIMIZER), &wanted, session)
}

fn load_tensors(path: &Path, wanted: &[Wanted], session: &mut dyn Session) -> Result<()> {
    let file = TensorFile::open(path)?;
    verify(path, &file, wanted)?;
    for Wanted { name, shape, storage } in wanted {
        session.write(*storage, &tensor(&file, name, shape)?)?;
    }
    Ok(())
}

/// One tensor, in the numbers of the file; the device converts them to its own.
fn tensor(file: &TensorFile, name: &str, shape: &[usize]) -> Result<HostTensor> {
    let shape = shape.to_vec();
    Ok(match file.dtype(name)? {
        Dtype::F64 => HostTensor::F64 { shape, data: file.values(name)?.into_owned() },
        _ => HostTensor::F32 { shape, data: file.values(name)?.into_owned() },
    })
}

/// An error that says every difference between the tensors of a file and those of the model.
fn verify(path: &Path, file: &TensorFile, wanted: &[Wanted]) -> Result<()> {
    const SAID: usize = 4;
    let names = file.names();
    let strangers: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| wanted.iter().all(|tensor| tensor.name != *name)).collect();
    let mut differences = Vec::new();
    for Wanted { name, shape, .. } in wanted {
        if names.binary_search(name).is_err() {
            let nearest = did_you_mean(name, strangers.iter().copied());
            let hint = nearest.map_or(String::new(), |nearest| format!(" (it has `{nearest}`)"));
            differences.push(format!("`{name}` is missing{hint}"));
        } else if file.shape(name)? != shape {
            differences.push(format!("`{name}` is {:?} where the model has {shape:?}", file.shape(name)?));
        }
    }
    differences.extend(strangers.iter().map(|name| format!("`{name}` is not in the model")));
    if differences.is_empty() {
        return Ok(());
    }
    let more = differences.len().saturating_sub(SAID);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    let said = differences[..differences.len().min(SAID)].join("; ");
    Err(Failure::new(Kind::Mistake, format!("`{}` does not fit the model: {said}{rest}", path.display())))
}
