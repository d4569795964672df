//! Opening a checkpoint: its spec, its session filled with its parameters, its tokenizer.

use crate::arguments::DeviceArguments;
use crate::console::Console;
use crate::spec::Spec;
use crate::stop::Stop;
use crate::{session, spec};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tfc_compiler::compiled::{Compiled, Entry};
use tfc_compiler::model::Model;
use tfc_compiler::optimization::Disabled;
use tfc_runtime::checkpoint::{self, State};
use tfc_runtime::data::Tokenizer;
use tfc_runtime::device::Session;
use tfc_runtime::{Failure, Kind, Result};

pub struct Opened {
    pub path: PathBuf,
    pub state: State,
    pub compiled: Arc<Compiled>,
    pub session: Box<dyn Session>,
}

impl Opened {
    /// The checkpoint at `path`, or the newest of the run there, with the entries compiled that the command needs.
    pub fn new(
        path: &Path,
        entries: &[Entry],
        device: &DeviceArguments,
        disabled: &Disabled,
        console: &Console,
    ) -> std::result::Result<Opened, Stop> {
        Opened::with(path, &|_| Ok(entries.to_vec()), device, disabled, console)
    }

    /// As [`Opened::new`], where the entries depend on the model, which may be changed before it is compiled.
    pub fn with(
        path: &Path,
        entries: &dyn Fn(&mut Model) -> Result<Vec<Entry>>,
        device: &DeviceArguments,
        disabled: &Disabled,
        console: &Console,
    ) -> std::result::Result<Opened, Stop> {
        let path = checkpoint::locate(path)?;
        let Spec { mut model, sources, .. } = spec::of_checkpoint(&path, console)?;
        let entries = entries(&mut model)?;
        if entries.contains(&Entry::Decode) {
            spec::can_generate(&model, &sources)?;
        }
        let compiled = Arc::new(session::compile(model, &entries, device.device, disabled));
        let mut session = session::open(&compiled, device)?;
        let state = State::read(&path.join("state.json"))?;
        state.stage_of(&compiled.model)?;
        session.resize(&checkpoint::sizes_of(&path, &compiled.model, &state, 1)?)?;
        session.set_precision(compiled.model.stage_precision(state.stage.index));
        checkpoint::load_for_use(&path, &compiled, session.as_mut(), &state)?;
        console.detail(&format!("{}, step {}", path.display(), state.done.steps));
        Ok(Opened { path, state, compiled, session })
    }

    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let path = self.path.join("tokenizer.json");
        let tokenizer = Tokenizer::open(&path).map_err(|failure| match failure.kind {
            Kind::Missing => {
                Failure::broken(&self.path, "has no `tokenizer.json`; copy the one it was trained with there")
            }
            _ => failure,
        })?;
        match self.compiled.model.vocabulary(self.session.sizes()) {
            Some(known) if i64::from(tokenizer.vocab()) > known.size => {
                let what = format!("has {} entries, the model knows only {}", tokenizer.vocab(), known.size);
                Err(Failure::broken(&path, format!("{what}; copy the one it was trained with there")))
            }
            _ => Ok(tokenizer),
        }
    }
}
