//! One update: the gradient of a whole batch, summed over micro-batches, then one step of the optimizer.

use super::Step;
use super::course::Course;
use super::micro_batch::micro_batches;
use crate::call;
use crate::checkpoint::State;
use crate::device::{HostTensor, Named, Session};
use crate::random::{Purpose, Stream};
use crate::{Failure, Kind, Result, grow};
use std::time::Instant;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::size::Symbol;

/// What an update works on.
pub struct Update<'a, 'c> {
    pub compiled: &'a Compiled,
    pub session: &'a mut dyn Session,
    pub state: &'a mut State,
    pub course: &'a mut Course<'c>,
}

impl Update<'_, '_> {
    /// Does the next update and counts it in the state.
    ///
    /// # Errors
    /// Loss or gradient are not finite. No parameter has changed then: a bad loss is found before `update`, and `update` leaves
    /// everything as it is where the norm is not finite.
    pub fn run(mut self) -> Result<Step> {
        let start = Instant::now();
        grow::scales::step(&self.compiled.model, self.session, self.state)?;
        let loss = self.gradient()?;
        let learning_rate = self.course.learning_rate(self.state);
        let gradient_norm = self.optimize(learning_rate)?;
        if !gradient_norm.is_finite() {
            return Err(self.bad_gradient(gradient_norm)?);
        }

        let Update { state, course, .. } = self;
        course.rows.after_update(&mut state.rows);
        state.done.add(course.each);
        state.stage.done.add(course.each);
        state.data.cursor += course.recipe.batch;
        let tokens_per_second = course.each.tokens as f64 / start.elapsed().as_secs_f64();
        let (step, tokens, flops) = (state.done.steps, state.done.tokens, state.done.flops);
        Ok(Step { step, tokens, flops, loss, gradient_norm, learning_rate, tokens_per_second })
    }

    /// Fills the session's gradients for the next batch and gives its loss.
    fn gradient(&mut self) -> Result<f64> {
        let mut calls = Vec::new();
        for (first, rows) in micro_batches(self.course.recipe.batch, self.course.micro_batch) {
            let share = self.share(first, rows)?;
            let inputs = self.inputs(first, rows, share)?;
            // The first writes what the others add to: nothing is zeroed, and no memory read for it.
            let entry = if first == 0 { "gradient" } else { "add_gradient" };
            let call = self.session.start(entry, &[(Symbol::BATCH, rows as i64)], &inputs)?;
            calls.push((first, rows, share, call));
        }
        // Not before: a device goes on while the next micro-batch is prepared.
        let mut loss = 0.0;
        for (first, rows, share, call) in calls {
            let part = call::scalar(&self.session.finish(call)?, "loss")?;
            if !part.is_finite() {
                let inputs = self.inputs(first, rows, share)?;
                let place = self.session.first_non_finite("gradient", &[(Symbol::BATCH, rows as i64)], &inputs);
                return Err(self.not_finite("loss", part, place));
            }
            loss += share * part;
        }
        Ok(loss)
    }

    /// The optimizer's step; gives the norm of the gradient.
    fn optimize(&mut self, learning_rate: f64) -> Result<f64> {
        self.course.rows.before_update(&self.compiled.model, &self.state.rows, self.session)?;
        let optimizer = &self.course.recipe.optimizer;
        let numbers = [
            ("learning_rate", learning_rate),
            ("beta1", optimizer.beta1),
            ("one_minus_beta1", 1.0 - optimizer.beta1),
            ("beta2", optimizer.beta2),
            ("one_minus_beta2", 1.0 - optimizer.beta2),
            ("eps", optimizer.eps),
            ("clip", optimizer.clip.unwrap_or(f64::INFINITY)),
        ];
        let inputs = numbers.map(|(name, number)| (name.to_string(), HostTensor::scalar(number)));
        call::scalar(&self.session.run("update", &[], &inputs)?, "gradient_norm")
    }

    /// How much of the batch's targets a micro-batch has.
    fn share(&self, first: u64, rows: u64) -> Result<f64> {
        let (train, cursor) = (&self.course.data.train, self.state.data.cursor);
        let all = train.targets(cursor, self.course.recipe.batch)?;
        Ok(train.targets(cursor + first, rows)? as f64 / all as f64)
    }

    /// A micro-batch's inputs: the data's, its share, and where the model draws random numbers two words for the device's
    /// generator: a pair for each micro-batch, named by its first sequence, and one for all of the step.
    fn inputs(&self, first: u64, rows: u64, share: f64) -> Result<Vec<Named>> {
        let mut inputs = self.course.data.train.inputs(self.state.data.cursor + first, rows)?;
        let seed = |path: &str, index: u64| {
            let bits = Stream::new(self.state.seed, Purpose::Dropout, path, self.state.done.steps).bits(index);
            HostTensor::I32 { shape: vec![2], data: vec![bits as i32, (bits >> 32) as i32] }
        };
        inputs.push(("loss_weight".to_string(), HostTensor::scalar(share)));
        inputs.push(("seed".to_string(), seed("", first)));
        inputs.push(("step_seed".to_string(), seed("step", 0)));
        call::inputs(call::graph(self.compiled, "gradient")?, self.session, rows, inputs)
    }

    /// Looks for the micro-batch whose gradient is not finite.
    fn bad_gradient(&mut self, norm: f64) -> Result<Failure> {
        for (first, rows) in micro_batches(self.course.recipe.batch, self.course.micro_batch) {
            let inputs = self.inputs(first, rows, self.share(first, rows)?)?;
            let place = self.session.first_non_finite("gradient", &[(Symbol::BATCH, rows as i64)], &inputs);
            if place.is_some() {
                return Ok(self.not_finite("gradient norm", norm, place));
            }
        }
        Ok(self.not_finite("gradient norm", norm, None))
    }

    fn not_finite(&self, what: &str, number: f64, place: Option<String>) -> Failure {
        let place = place.map_or(String::new(), |place| format!("; the first result that is not finite: {place}"));
        let update = self.state.done.steps + 1;
        Failure::new(Kind::Diverged, format!("the {what} of update {update} is {number}{place}"))
    }
}
