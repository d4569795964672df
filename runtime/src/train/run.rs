//! The course of a run: from stage to stage, from update to update.

use super::course::Course;
use super::end::{higher_is_better, over};
use super::update::Update;
use super::{Batches, Event, Outcome, Setup, StageData, from, micro_batch};
use crate::checkpoint::{Evaluated, StageState, State};
use crate::confusion::Confusion;
use crate::evaluate::{Evaluation, evaluate};
use crate::grow::{self, Measure};
use crate::sizes::sizes_at;
use crate::{Failure, Kind, Result, init};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tfc_compiler::model::{Cadence, Stage, Until};

pub struct Run<'a> {
    setup: Setup<'a>,
    pub state: State,
    /// Whether changed data is taken when the present stage goes on.
    accept: bool,
}

impl<'a> Run<'a> {
    /// A run at its very beginning: parameters drawn, or loaded where the first stage says `from`.
    pub fn start(setup: Setup<'a>) -> Result<Run<'a>> {
        let model = &setup.compiled.model;
        let Some(first) = model.experiment.stages.first() else {
            return Err(Failure::mistake(format!("model `{}` has nothing to train: add a `train` block", model.name)));
        };
        let sizes = sizes_at(model, 1, &first.tokens);
        setup.session.resize(&sizes)?;
        let mut state = State::new(model, &sizes, setup.plan.clone());
        match &first.from {
            Some(path) => from::load(path, setup.compiled, setup.session, &mut state)?,
            None => init::initialize(model, model.experiment.seed, setup.session)?,
        }
        Ok(Run { setup, state, accept: true })
    }

    /// A run whose session and state have been loaded.
    pub fn new(setup: Setup<'a>, state: State, accept: bool) -> Run<'a> {
        Run { setup, state, accept }
    }

    /// Through all stages that are left.
    pub fn go_on(mut self) -> Result<Outcome> {
        let stages = &self.setup.compiled.model.experiment.stages;
        let mut checkpoint = self.setup.folder.latest()?.map(|checkpoint| checkpoint.path);
        let mut data = self.open(&stages[self.state.stage.index])?;
        loop {
            let index = self.state.stage.index;
            if stages[index].from.is_none() {
                match self.train_stage(data)? {
                    Outcome::Finished { checkpoint: end } => checkpoint = end,
                    stopped @ Outcome::Stopped { .. } => return Ok(stopped),
                }
            }
            let Some(next) = stages.get(index + 1) else { return Ok(Outcome::Finished { checkpoint }) };
            data = self.open(next)?;
            self.enter(index + 1, next, data.as_ref())?;
        }
    }

    /// The data of a stage; None where it is only loaded.
    fn open(&mut self, stage: &Stage) -> Result<Option<StageData>> {
        if stage.from.is_some() { Ok(None) } else { (self.setup.data)(stage).map(Some) }
    }

    /// Grows, or loads, into the stage that follows.
    fn enter(&mut self, index: usize, stage: &Stage, data: Option<&StageData>) -> Result<()> {
        let Setup { compiled, session, observer, folder, .. } = &mut self.setup;
        let state = &mut self.state;
        if let Some(path) = &stage.from {
            session.resize(&sizes_at(&compiled.model, 1, &stage.tokens))?;
            state.stage = StageState::new(index, &stage.name);
            return from::load(path, compiled, *session, state);
        }
        if let (Some(growth), Some(data)) = (&stage.growth, data) {
            let rows = stage.train.as_ref().map_or(1, |recipe| recipe.batch);
            let measure = Measure { batches: data.probe(), rows, micro_batch: micro_batch(rows, state.micro_batch()) };
            // Two passes over a batch take longer than the growth itself: they are for whoever expects something of them.
            let start = Instant::now();
            let grown = match growth.expect {
                Some(_) => grow::grow_measured(compiled, *session, state, index, &measure)?,
                None => grow::grow(compiled, *session, state, index)?,
            };
            let seconds = start.elapsed().as_secs_f64();
            observer.see(&Event::Grown { stage, step: state.done.steps, grown: &grown, seconds })?;
            grow::check(stage, &grown, folder.latest()?.as_ref().map(|checkpoint| checkpoint.path.as_path()))?;
        }
        state.seed = stage.seed;
        state.stage = StageState::new(index, &stage.name);
        Ok(())
    }

    /// Trains the present stage to its end, or until the run is to stop.
    fn train_stage(&mut self, data: Option<StageData>) -> Result<Outcome> {
        let compiled = self.setup.compiled;
        let stage = &compiled.model.experiment.stages[self.state.stage.index];
        let data = data.ok_or_else(|| super::untrainable(stage, "data"))?;
        self.recognise(&data, stage)?;
        let state = &mut self.state;
        let mut course = Course::new(compiled, self.setup.session, state, data, self.setup.flops_per_token)?;
        let (index, run, done, length) = (state.stage.index, state.done, state.stage.done.steps, course.length);
        // What a failed evaluation has stopped, or what was measured otherwise before.
        let is_due = due(course.recipe.evaluate, run.steps) || over(&stage.end, &self.state.stage);
        let owes = done > 0 && is_due && !self.is_evaluated();
        self.setup.observer.see(&Event::Stage { stage, index, run, done, length, owes })?;

        if owes {
            self.evaluate(&course)?;
        }
        while !over(&stage.end, &self.state.stage) {
            let enough = self.setup.until_step.is_some_and(|until| self.state.done.steps >= until);
            if enough || self.setup.interrupted.load(Ordering::Relaxed) {
                let checkpoint = self.save(&course)?;
                return Ok(Outcome::Stopped { step: self.state.done.steps, checkpoint });
            }
            let (session, state) = (&mut *self.setup.session, &mut self.state);
            let update = Update { compiled, session, state, course: &mut course };
            let step = match update.run() {
                Ok(step) => step,
                Err(failure) => return Err(self.rescued(failure, &course)),
            };
            self.setup.observer.see(&Event::Step(step))?;
            if due(course.recipe.evaluate, step.step) {
                self.evaluate(&course).map_err(|failure| self.rescued(failure, &course))?;
            }
            if due(course.recipe.checkpoint, step.step) && !over(&stage.end, &self.state.stage) {
                self.save(&course)?;
            }
        }
        if !self.is_evaluated() {
            self.evaluate(&course).map_err(|failure| self.rescued(failure, &course))?;
        }
        self.confuse(&course).map_err(|failure| self.rescued(failure, &course))?;
        Ok(Outcome::Finished { checkpoint: Some(self.save(&course)?) })
    }

    /// Other data than the last stage had is read from its start; a stage that goes on must find the data it began with.
    fn recognise(&mut self, data: &StageData, stage: &Stage) -> Result<()> {
        let hash = format!("{:016x}", data.train.hash());
        let state = &mut self.state;
        if state.data.hash.as_ref().is_some_and(|known| *known != hash) {
            if state.stage.done.steps == 0 {
                state.data.cursor = 0;
            } else if !self.accept {
                let what = format!("the training data of stage `{}` is not what the run was started with", stage.name);
                return Err(Failure::mistake(format!("{what}; restore it, or add `--accept-changes` to go on")));
            } else {
                // What is held out of it is other data, too.
                state.stage.forget_measurements();
            }
        }
        state.data.hash = Some(hash);
        Ok(())
    }

    /// On every validation set; the first one counts for the end of the stage.
    fn evaluate(&mut self, course: &Course<'_>) -> Result<()> {
        let Setup { compiled, session, observer, .. } = &mut self.setup;
        let done = self.state.done;
        let mut first = None;
        for (i, (set, batches)) in course.data.validate.iter().enumerate() {
            let rows = evaluated_rows(course, &**batches);
            let watch = &mut |done, of| observer.see(&Event::Evaluating { set, done, of });
            let evaluation = evaluate(compiled, *session, &**batches, rows, course.micro_batch, watch)?;
            observer.see(&Event::Evaluated {
                step: done.steps,
                tokens: done.tokens,
                flops: done.flops,
                set,
                first: i == 0,
                evaluation: &evaluation,
            })?;
            first.get_or_insert(evaluation);
        }
        // Not before: an evaluation that fails in between is made again, of all sets.
        if let Some(first) = first {
            self.state.note(&first, course.stage, |metric| higher_is_better(&compiled.model, metric));
        }
        Ok(())
    }

    fn is_evaluated(&self) -> bool {
        self.state.stage.evaluation.as_ref().is_some_and(|last| last.step == self.state.done.steps)
    }

    /// What a classifier takes for what, on what it is evaluated on.
    fn confuse(&mut self, course: &Course<'_>) -> Result<()> {
        let Setup { compiled, session, observer, .. } = &mut self.setup;
        for (set, batches) in &course.data.validate {
            let rows = evaluated_rows(course, &**batches);
            let watch = &mut |done, of| observer.see(&Event::Evaluating { set, done, of });
            let confusion = Confusion::measure(compiled, *session, &**batches, rows, course.micro_batch, watch)?;
            if let Some(confusion) = &confusion {
                observer.see(&Event::Confused { set, confusion })?;
            }
        }
        Ok(())
    }

    fn save(&mut self, course: &Course<'_>) -> Result<PathBuf> {
        let Setup { compiled, session, observer, folder, .. } = &mut self.setup;
        let tokenizer = course.data.tokenizer.as_deref();
        let path = folder.save(compiled, *session, &self.state, tokenizer, course.recipe.keep)?;
        observer.see(&Event::Saved { step: self.state.done.steps, path: &path })?;
        Ok(path)
    }

    /// What a failure between two updates leaves to go on from: the state as it is, if what failed is not the model itself.
    fn rescued(&mut self, failure: Failure, course: &Course<'_>) -> Failure {
        if failure.kind == Kind::Diverged {
            return self.with_last_good(failure);
        }
        match self.save(course) {
            Ok(path) => {
                let saved = format!("the run is saved in `{}` and goes on with --resume", path.display());
                Failure::new(failure.kind, format!("{}; {saved}", failure.message))
            }
            // The first failure says more than that nothing can be saved either.
            Err(_) => failure,
        }
    }

    /// What to do about a loss that is not finite.
    fn with_last_good(&self, failure: Failure) -> Failure {
        let last_good = match self.setup.folder.latest() {
            Ok(Some(checkpoint)) => format!("`{}` is the last good checkpoint; resume with", checkpoint.path.display()),
            _ => "there is no checkpoint yet; start again with".to_string(),
        };
        Failure::new(failure.kind, format!("{}; {last_good} a smaller `lr`, or with `clip`", failure.message))
    }
}

/// How many sequences of a validation set an evaluation looks at.
fn evaluated_rows(course: &Course<'_>, batches: &dyn Batches) -> u64 {
    let most = course.recipe.evaluate_batches.map_or(u64::MAX, |batches| batches.saturating_mul(course.recipe.batch));
    most.min(batches.per_epoch())
}

fn due(cadence: Option<Cadence>, step: u64) -> bool {
    cadence.is_some_and(|Cadence::Every(steps)| step.is_multiple_of(steps.max(1)))
}

impl State {
    /// Takes note of an evaluation of the first validation set.
    fn note(
        &mut self,
        evaluation: &Evaluation,
        stage: &Stage,
        higher_is_better: impl Fn(&tfc_compiler::model::Metric) -> bool,
    ) {
        if let Some(Until::Plateau { metric, delta, .. }) = &stage.end.until
            && let Some(value) = evaluation.get(&metric.0)
        {
            self.stage.plateau.see(value, *delta, higher_is_better(metric));
        }
        let loss = ("loss".to_string(), evaluation.loss);
        let values = evaluation.metrics.iter().cloned().chain([loss]);
        // JSON has no NaN, and a condition on one would never be met.
        let values = values.filter(|(_, value)| value.is_finite()).collect();
        self.stage.evaluation = Some(Evaluated { step: self.done.steps, values });
    }
}
