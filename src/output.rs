//! Files that a command is told to write: never over what it reads, nor over a part of a run.

use std::path::Path;
use tfc_runtime::{Failure, Result};

/// What makes a folder one of a run, or of a checkpoint.
const OF_RUNS: [&str; 2] = ["model.tfm", "state.json"];

/// # Errors
/// `out` is one of the files that were read, or one of a run's.
pub fn may_be_written(out: &Path, inputs: &[&Path]) -> Result<()> {
    // What is not there yet is neither.
    let Ok(place) = out.canonicalize() else { return Ok(()) };
    let reads = |input: &&Path| input.canonicalize().is_ok_and(|input| input == place);
    let out = out.display();
    if inputs.iter().any(reads) {
        return Err(Failure::mistake(format!("`{out}` is read; write to another file")));
    }
    let folder = place.parent().unwrap_or(Path::new("/"));
    if place.is_file() && OF_RUNS.iter().any(|file| folder.join(file).is_file()) {
        return Err(Failure::mistake(format!("`{out}` belongs to a run; write to another file")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_what_runs_are_made_of_stay() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "x").unwrap();
            path
        };
        let [read, other, of_run, of_checkpoint] =
            ["in", "other", "run/loss.svg", "run/checkpoints/step-1/model.safetensors"].map(file);
        file("run/model.tfm");
        file("run/checkpoints/step-1/state.json");
        let said = |out: &Path| may_be_written(out, &[&read]).err().map(|failure| failure.message);
        let same = folder.path().join("run/../in");
        assert_eq!(said(&same), Some(format!("`{}` is read; write to another file", same.display())));
        for part in [of_run, of_checkpoint] {
            assert_eq!(said(&part), Some(format!("`{}` belongs to a run; write to another file", part.display())));
        }
        assert_eq!([said(&other), said(&folder.path().join("run/new.svg"))], [None, None]);
    }
}
