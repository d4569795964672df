//! Writes a checkpoint.

use super::{CONFIG, MODEL, OPTIMIZER, STATE, State, TOKENIZER, config, moment_names};
use crate::device::{HostTensor, Session, shape_at};
use crate::storage::{Dtype, NewFile, NewFolder, TensorEntry, write_tensors};
use crate::{Failure, Kind, Result};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::model::{Model, Parameter};
use tfc_compiler::size::SizeValues;
use tfc_compiler::storage::Storage;

/// Writes the session's parameters and moments and the state to the folder `path`, which must not exist yet.
pub fn write(
    path: &Path,
    compiled: &Compiled,
    session: &dyn Session,
    state: &State,
    tokenizer: Option<&str>,
) -> Result<()> {
    let mut parameters = Vec::new();
    let mut moments = Vec::new();
    for (i, parameter) in compiled.model.parameters.iter().enumerate() {
        let i = i as u32;
        let shape = shape_at(&parameter.shape, session.sizes());
        parameters.push((parameter.path.clone(), Storage::Parameter(i), shape.clone()));
        let [first, second] = moment_names(&parameter.path);
        moments.push((first, Storage::FirstMoment(i), shape.clone()));
        moments.push((second, Storage::SecondMoment(i), shape));
    }
    let dtype = dtype(session, &parameters)?;
    write_folder(path, |folder| {
        tensors(&folder.join(MODEL), dtype, session, &parameters)?;
        tensors(&folder.join(OPTIMIZER), dtype, session, &moments)?;
        the_rest(folder, &compiled.model, session.sizes(), state, tokenizer)
    })
}

/// Writes parameters that stand in no session, in f32: `bytes(i)` gives those of the model's parameter i when their turn comes. There
/// are no moments: the state says that nothing has been trained.
pub fn write_untrained<'a>(
    path: &Path,
    model: &Model,
    sizes: &SizeValues,
    state: &State,
    tokenizer: Option<&str>,
    bytes: impl FnMut(usize) -> Result<Cow<'a, [u8]>>,
) -> Result<()> {
    let entry = |parameter: &Parameter| TensorEntry {
        name: parameter.path.clone(),
        dtype: Dtype::F32,
        shape: shape_at(&parameter.shape, sizes),
    };
    let entries: Vec<TensorEntry> = model.parameters.iter().map(entry).collect();
    write_folder(path, |folder| {
        write_tensors(&folder.join(MODEL), &notes(), &entries, bytes)?;
        the_rest(folder, model, sizes, state, tokenizer)
    })
}

/// Errors inside name a temporary path; this adds the one that was asked for.
fn write_folder(path: &Path, files: impl FnOnce(&NewFolder) -> Result<()>) -> Result<()> {
    let written = NewFolder::create(path).and_then(|folder| {
        files(&folder)?;
        folder.commit()
    });
    written.map_err(|failure| {
        let message = format!("checkpoint `{}` was not written: {}", path.display(), failure.message);
        Failure::new(failure.kind, message)
    })
}

/// What a checkpoint holds beside tensors.
fn the_rest(
    folder: &NewFolder,
    model: &Model,
    sizes: &SizeValues,
    state: &State,
    tokenizer: Option<&str>,
) -> Result<()> {
    NewFile::write(&folder.join(CONFIG), config::json(model, sizes, state).as_bytes())?;
    if let Some(tokenizer) = tokenizer {
        NewFile::write(&folder.join(TOKENIZER), tokenizer.as_bytes())?;
    }
    NewFile::write(&folder.join(STATE), state.to_json().as_bytes())
}

/// What other programs look for to know the layout of rows.
pub fn notes() -> BTreeMap<String, String> {
    BTreeMap::from([("format".to_string(), "pt".to_string())])
}

/// The numbers that the session hands out, seen on its smallest parameter.
fn dtype(session: &dyn Session, parameters: &[(String, Storage, Vec<usize>)]) -> Result<Dtype> {
    let smallest = parameters.iter().min_by_key(|(_, _, shape)| shape.iter().product::<usize>());
    match smallest.map(|(_, storage, _)| session.read(*storage)).transpose()? {
        Some(HostTensor::F64 { .. }) => Ok(Dtype::F64),
        Some(HostTensor::F32 { .. } | HostTensor::I32 { .. }) | None => Ok(Dtype::F32),
    }
}

fn tensors(path: &Path, dtype: Dtype, session: &dyn Session, tensors: &[(String, Storage, Vec<usize>)]) -> Result<()> {
    let entry = |(name, _, shape): &(String, Storage, Vec<usize>)| TensorEntry {
        name: name.clone(),
        dtype,
        shape: shape.clone(),
    };
    let entries: Vec<TensorEntry> = tensors.iter().map(entry).collect();
    // Copied only where it must be: a copy of the largest tensor counts at the peak of a training's memory.
    write_tensors(path, &notes(), &entries, |i| match session.bytes(tensors[i].1) {
        Some(bytes) => Ok(Cow::Borrowed(bytes)),
        None => match session.read(tensors[i].1)? {
            HostTensor::F32 { data, .. } => Ok(Cow::Owned(bytemuck::cast_slice(&data).to_vec())),
            HostTensor::F64 { data, .. } => Ok(Cow::Owned(bytemuck::cast_slice(&data).to_vec())),
            HostTensor::I32 { .. } => {
                Err(Failure::new(Kind::Machine, "a parameter is no real number; this is a bug in tfc"))
            }
        },
    })
}
