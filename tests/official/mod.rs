//! Official checkpoints: files that PyTorch wrote are read, the model they hold computes what the golden one does, and what is brought in
//! goes out again to the bit.

mod golden;
mod refused;
mod shapes;

use crate::conformance::spec;
use crate::support::model;
use std::path::{Path, PathBuf};
use tfc_compiler::model::Model;
use tfc_runtime::checkpoint::{RunFolder, locate};
use tfc_runtime::official::{Form, Import};

/// The golden language model.
fn golden_model() -> Model {
    golden_model_with(|spec| spec)
}

/// The same with a changed spec.
fn golden_model_with(change: impl FnOnce(String) -> String) -> Model {
    model(&change(spec("l2_gelu()", true)), &[])
}

/// A file of tests/golden.
fn golden_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Imports a file of the golden model as the run `folder`; gives its checkpoint.
fn imported(file: &Path, form: Form, model: &Model, folder: &Path) -> PathBuf {
    let run = RunFolder::create(folder, "model golden {}").expect("the folder is new");
    Import::open(file, form, model, 0).and_then(|import| import.write(&run, None)).expect("it is of the model");
    locate(folder).expect("the checkpoint is there")
}
