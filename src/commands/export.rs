//! `tfc export`: a checkpoint in the layout of the official ones.

use crate::arguments::{Export, Like};
use crate::console::Console;
use crate::spec;
use crate::stop::Outcome;
use tfc_runtime::checkpoint;
use tfc_runtime::official::{self, Form};

pub fn run(command: &Export, console: &Console) -> Outcome {
    let path = checkpoint::locate(&command.checkpoint)?;
    let model = spec::check_text(&path.join("model.tfm"), &checkpoint::spec_of(&path)?, console)?.model;
    official::export(&path, &model, command.like.form(), &command.out)?;
    console.say(&format!("{} in {}", path.display(), command.out.display()));
    Ok(())
}

impl Like {
    pub fn form(self) -> Form {
        match self {
            Like::Neox => Form::Neox,
            Like::Hf => Form::HuggingFace,
        }
    }
}
