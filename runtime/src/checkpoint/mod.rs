//! Checkpoints and run folders.
//!
//! ```text
//! RUN/model.tfm                        the spec as resolved
//! RUN/checkpoints/step-N/
//!     model.safetensors                the parameters, by path
//!     optimizer.safetensors            their moments, as PATH.first_moment and PATH.second_moment
//!     state.json                       everything else that a run needs to go on (`State`)
//!     config.json                      the model in numbers, for other programs
//!     tokenizer.json
//! ```
//!
//! - A checkpoint is written under a temporary name, synced and renamed: what has the name `step-N` is whole, and a run that is
//!   killed or finds the disk full keeps its previous one. The latest is found by looking, there is no pointer to go stale.
//! - N is the updates of the run. A stage without updates that leaves a checkpoint is `step-N-stage-I`.
//! - Tensors go one by one between file and device.
//! - A run that begins with parameters from elsewhere has no moments before its first update: `optimizer.safetensors` is missing.

mod config;
mod read;
mod run;
mod state;
mod write;

pub use read::{load, load_for_use, load_moments, load_parameters, load_weights, sizes_of, zero_moments};
pub use run::{Checkpoint, RunFolder, locate, spec_of};
pub use state::{Change, DataState, Done, Evaluated, PlanState, Plateau, Ramp, ScaleState, StageState, State, VERSION};
pub use write::{notes, write, write_untrained};

use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

const MODEL: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "state.json";
const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const SPEC: &str = "model.tfm";
const CHECKPOINTS: &str = "checkpoints";

/// Where a checkpoint has its parameters.
pub fn weights(checkpoint: &Path) -> PathBuf {
    checkpoint.join(MODEL)
}

/// The names under which a parameter's moments are kept.
fn moment_names(path: &str) -> [String; 2] {
    ["first_moment", "second_moment"].map(|moment| format!("{path}.{moment}"))
}
