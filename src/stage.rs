//! `--stage NAME`: the index of a stage.

use tfc_compiler::model::Model;
use tfc_grammar::did_you_mean::did_you_mean;
use tfc_runtime::{Failure, Result};

/// The stage of that name; without a name the first.
pub fn find(model: &Model, name: Option<&str>) -> Result<usize> {
    let stages = &model.experiment.stages;
    let Some(name) = name else { return Ok(0) };
    let found = stages.iter().position(|stage| stage.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
        let hint = match did_you_mean(name, names.iter().copied()) {
            Some(nearest) => format!("; did you mean `{nearest}`?"),
            None => format!("; it has {}", names.join(", ")),
        };
        Failure::mistake(format!("the spec has no stage `{name}`{hint}"))
    })
}
