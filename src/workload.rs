//! What `bench` and `explain` run: a spec compiled for one kind of work, and a session to do it in.

use crate::arguments::{DeviceName, What, WorkArguments};
use crate::console::Console;
use crate::session::Device;
use crate::spec::Spec;
use crate::stop::Stop;
use crate::{memory, patience, session, spec, stage};
use std::sync::Arc;
use std::time::Instant;
use tfc_compiler::compile::lowered;
use tfc_compiler::compiled::{Compiled, Entry};
use tfc_compiler::model::Model;
use tfc_compiler::precision::Precision;
use tfc_compiler::size::{SizeValues, Symbol};
use tfc_compiler::stages::{flops, flops_for};
use tfc_grammar::Sources;
use tfc_runtime::bench::{Decoding, Forward, Training, Work};
use tfc_runtime::checkpoint::PlanState;
use tfc_runtime::device::{Profiled, Session};
use tfc_runtime::{Failure, Result};

pub struct Workload {
    pub compiled: Arc<Compiled>,
    pub entries: Vec<Entry>,
    pub what: What,
    pub stage: usize,
    /// Sequences in a batch.
    pub batch: u64,
    /// Of a training.
    pub plan: Option<PlanState>,
}

impl Workload {
    /// Compiles what the work needs for a device; no memory is taken yet. The last result is how many seconds it took until the code was loaded.
    pub fn open(
        arguments: &WorkArguments,
        device: &Device,
        console: &Console,
    ) -> std::result::Result<(Workload, Box<dyn Profiled>, f64), Stop> {
        let start = Instant::now();
        let workload = Workload::compile(arguments, arguments.device.device, device.free_memory()?, console)?;
        let session = device.open_profiled(&workload.compiled)?;
        let seconds = start.elapsed().as_secs_f64();
        Ok((workload, session, seconds))
    }

    /// Compiles what the work needs as far as kernels, for a device with so many bytes.
    pub fn compile(
        arguments: &WorkArguments,
        device: DeviceName,
        bytes: Option<u64>,
        console: &Console,
    ) -> std::result::Result<Workload, Stop> {
        let budget = memory::budget(arguments.memory.as_deref(), bytes)?;
        let disabled = session::disabled(&arguments.compiler, device.is_gpu())?;
        let Spec { mut model, sources, .. } = spec::load(&arguments.spec.spec, &arguments.spec.sets, console)?;
        let stage = stage::find(&model, arguments.stage.as_deref())?;
        let batch = set_batch(&mut model, stage, arguments)?;
        let entries = entries(&model, &sources, arguments.what)?;
        let (compiled, plan) = match arguments.what {
            What::Train => {
                let (compiled, plan) = memory::compile_training(model, &entries, &disabled, budget, None)?;
                (compiled, Some(plan))
            }
            What::Forward => {
                let compiled = session::compile(model, &entries, device, &disabled);
                memory::check_forward(&compiled, stage, batch, budget)?;
                (compiled, None)
            }
            What::Decode => {
                let compiled = session::compile(model, &entries, device, &disabled);
                memory::check_decoding(&compiled, stage, budget)?;
                (compiled, None)
            }
        };
        Ok(Workload { compiled: Arc::new(compiled), entries, what: arguments.what, stage, batch, plan })
    }

    /// The work, with everything that it needs in the session.
    pub fn work(&self, session: &mut dyn Session) -> Result<Work<'_>> {
        session.set_precision(self.precision());
        match self.what {
            What::Train => Training::new(&self.compiled, session, self.stage, self.micro_batch(self.stage))
                .map(|training| Work::Training(Box::new(training))),
            What::Forward => Forward::new(&self.compiled, session, self.stage, self.batch).map(Work::Forward),
            What::Decode => Decoding::new(&self.compiled, session, self.stage).map(Work::Decoding),
        }
    }

    /// Sequences in a batch of a stage: what the work's stage was told to have, what the spec says of the others.
    pub fn batch_of(&self, stage: usize) -> u64 {
        let recipe = self.compiled.model.experiment.stages[stage].train.as_ref();
        recipe.map_or(self.batch, |recipe| recipe.batch)
    }

    /// Sequences that go through the model at once in a training of a stage.
    pub fn micro_batch(&self, stage: usize) -> u64 {
        let batch = self.batch_of(stage);
        self.plan.as_ref().map_or(batch, |plan| plan.micro_batch.min(batch))
    }

    /// Of one repetition, as `tfc check` counts them.
    pub fn flops(&self, work: &Work<'_>) -> f64 {
        let model = &self.compiled.model;
        let positions = model.context.unwrap_or(1);
        let sizes = model.stage_sizes(self.stage).with(Symbol::BATCH, 1).with(Symbol::SEQUENCE, positions);
        let forward = |sizes: &SizeValues| flops(&self.compiled.graphs[0], sizes);
        match self.what {
            What::Train => {
                let evaluate = lowered(model, &Entry::Evaluate);
                3.0 * self.batch as f64 * flops_for(&evaluate, "loss", &sizes).unwrap_or(0.0)
            }
            What::Forward => self.batch as f64 * forward(&sizes),
            What::Decode => work.tokens() as f64 * forward(&sizes.with(Symbol::SEQUENCE, 1)),
        }
    }

    /// Says what takes long before anybody waits for it.
    ///
    /// # Errors
    /// Nobody would.
    pub fn announce(&self, work: &Work<'_>, peak_flops: f64, console: &Console) -> Result<()> {
        patience::announce("a repetition", self.flops(work) / peak_flops, "use a smaller `--batch`", console)
    }

    pub fn precision(&self) -> Precision {
        self.compiled.model.stage_precision(self.stage)
    }
}

/// What `--batch` says, put into the model; otherwise what the spec says.
fn set_batch(model: &mut Model, stage: usize, arguments: &WorkArguments) -> Result<u64> {
    if arguments.what == What::Decode {
        return match arguments.batch {
            None | Some(1) => Ok(1),
            Some(_) => Err(Failure::mistake("decoding continues one text; leave --batch out")),
        };
    }
    let recipe = model.experiment.stages[stage].train.as_mut();
    match (recipe, arguments.batch) {
        (Some(recipe), Some(batch)) => {
            recipe.batch = batch;
            Ok(batch)
        }
        (Some(recipe), None) => Ok(recipe.batch),
        (None, batch) => Ok(batch.unwrap_or(1)),
    }
}

fn entries(model: &Model, sources: &Sources, what: What) -> Result<Vec<Entry>> {
    match what {
        What::Train if model.program.loss.is_none() => {
            Err(Failure::mistake("the model has no `loss`, so it cannot be trained; bind one"))
        }
        What::Train => Ok(Entry::updates(model)),
        What::Forward => {
            let none = || Failure::mistake("the model has no logits; bind a loss on them, or use --what train");
            Ok(vec![Entry::Named(vec![model.program.logits().ok_or_else(none)?.to_string()])])
        }
        What::Decode => {
            spec::can_generate(model, sources)?;
            Ok(vec![Entry::Decode])
        }
    }
}
