//! `tfc export`: a checkpoint in the layout of the official ones, as what it has beyond another, or cut to fewer tokens.

use super::eval;
use crate::arguments::{Export, Like};
use crate::console::Console;
use crate::stop::Outcome;
use crate::{output, spec};
use std::path::Path;
use tfc_compiler::model::Model;
use tfc_runtime::checkpoint::{self, RunFolder};
use tfc_runtime::official::{self, Form};
use tfc_runtime::{cut, delta};

pub fn run(command: &Export, console: &Console) -> Outcome {
    let path = checkpoint::locate(&command.checkpoint)?;
    output::may_be_written(&command.out, &[])?;
    let (spec, text) = checkpoint::spec_of(&path)?;
    let model = spec::check_text(&spec, &text, console)?.model;
    if let Some(like) = command.like {
        official::export(&path, &model, like.form(), &command.out)?;
    } else if let Some(base) = &command.delta {
        let [stored, all] = delta::export(&path, &checkpoint::locate(base)?, &model, &command.out)?;
        console.say(&format!("{stored} of {all} parameters are new or changed"));
    } else if let Some(part) = command.tokens {
        return truncated(command, &path, &text, &model, part, console);
    }
    console.say(&format!("{} in {}", path.display(), command.out.display()));
    Ok(())
}

/// The first part of the tokens, and what that is worth.
fn truncated(command: &Export, path: &Path, text: &str, model: &Model, part: f64, console: &Console) -> Outcome {
    let into = RunFolder::create(&command.out, text)?;
    let written = into.filled(|into| cut::cut(path, model, part, into))?;
    console.say(&format!("{} in {}", path.display(), written.display()));
    eval::of_checkpoint(&written, &command.device, console)
}

impl Like {
    pub fn form(self) -> Form {
        match self {
            Like::Neox => Form::Neox,
            Like::Hf => Form::HuggingFace,
        }
    }
}
