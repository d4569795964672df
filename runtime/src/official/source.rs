//! Files that hold tensors under official names.

use super::Form;
use crate::storage::{self, TensorFile, as_bytes};
use crate::torch::TorchFile;
use crate::{Failure, Result};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub enum Source {
    Torch(TorchFile),
    Safetensors(TensorFile),
}

impl Source {
    /// Opens the file at `path`, or in the folder there.
    pub fn open(path: &Path, form: Form) -> Result<Source> {
        let path = find(path, form)?;
        match form {
            Form::Neox => TorchFile::open(&path).map(Source::Torch),
            Form::HuggingFace => TensorFile::open(&path).map(Source::Safetensors),
        }
    }

    /// The shapes of all tensors, by their names.
    pub fn shapes(&self) -> Result<BTreeMap<String, Vec<usize>>> {
        match self {
            Source::Torch(file) => Ok(file.tensors().map(|(name, shape)| (name.to_string(), shape.to_vec())).collect()),
            Source::Safetensors(file) => {
                file.names().into_iter().map(|name| Ok((name.clone(), file.shape(&name)?.to_vec()))).collect()
            }
        }
    }

    /// The bytes of a tensor in f32, borrowed from the file where they can be.
    pub fn floats(&self, name: &str) -> Result<Cow<'_, [u8]>> {
        match self {
            Source::Torch(file) => file.floats(name),
            Source::Safetensors(file) => file.values::<f32>(name).map(as_bytes),
        }
    }

    /// Compares checksums, where the kind of file has some.
    pub fn verify(&self) -> Result<()> {
        match self {
            Source::Torch(file) => file.verify(),
            Source::Safetensors(_) => Ok(()),
        }
    }
}

/// What DeepSpeed calls the weights of the first of the machines that share a model, and of the second.
const RANKS: [&str; 2] = ["mp_rank_00_model_states.pt", "mp_rank_01_model_states.pt"];

/// The file with the weights: `path` itself, or in a folder what has one of the usual names. DeepSpeed's folders say in `latest`
/// which of the folders in them is meant.
fn find(path: &Path, form: Form) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let mut folder = path.to_owned();
    if form == Form::Neox && folder.join("latest").is_file() {
        folder = folder.join(storage::read_text(&folder.join("latest"))?.trim());
    }
    let names: &[&str] = match form {
        Form::Neox => &["pytorch_model.bin", RANKS[0]],
        Form::HuggingFace => &["model.safetensors"],
    };
    if folder.join(RANKS[1]).exists() {
        let what = "holds a model that several machines share; merge it with GPT-NeoX's tools first";
        return Err(Failure::broken(&folder, what));
    }
    let found = names.iter().map(|name| folder.join(name)).find(|file| file.exists());
    found.ok_or_else(|| Failure::broken(&folder, format!("has no `{}`; name the file itself", names.join("` or `"))))
}
