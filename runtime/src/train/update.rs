//! One update: the gradient of a whole batch, summed over micro-batches, then one step of the optimizer.

use super::Step;
use super::course::Course;
use super::micro_batch::micro_batches;
use crate::call;
use crate::checkpoint::State;
use crate::device::{HostTensor, Named, Session};
use crate::random::{Purpose, Stream};
use crate::reals::Reals;
use crate::{Failure, Result, grow};
use std::time::Instant;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::size::Symbol;
use tfc_compiler::storage::Storage;

/// Does the next update and counts it in the state.
///
/// # Errors
/// Loss or gradient are not finite. No parameter has changed then: a bad loss is found before `update`, and `update` leaves
/// everything as it is where the norm is not finite.
pub fn update(
    compiled: &Compiled,
    session: &mut dyn Session,
    state: &mut State,
    course: &mut Course<'_>,
    reals: Reals,
) -> Result<Step> {
    let start = Instant::now();
    grow::scales::step(&compiled.model, session, state, reals);
    let loss = gradient(compiled, session, state, course, reals)?;

    let learning_rate = course.learning_rate(state);
    course.rows.before_update(&compiled.model, &state.rows, session);
    let optimizer = &course.recipe.optimizer;
    let numbers = [
        ("learning_rate", learning_rate),
        ("beta1", optimizer.beta1),
        ("one_minus_beta1", 1.0 - optimizer.beta1),
        ("beta2", optimizer.beta2),
        ("one_minus_beta2", 1.0 - optimizer.beta2),
        ("eps", optimizer.eps),
        ("clip", optimizer.clip.unwrap_or(f64::INFINITY)),
    ];
    let inputs = numbers.map(|(name, number)| (name.to_string(), reals.scalar(number)));
    let outputs = session.run("update", &[], &inputs)?;
    let gradient_norm = call::scalar(&outputs, "gradient_norm")?;
    if !gradient_norm.is_finite() {
        return Err(bad_gradient(compiled, session, state, course, reals, gradient_norm)?);
    }

    course.rows.after_update(&mut state.rows);
    state.done.add(course.each);
    state.stage.done.add(course.each);
    state.data.cursor += course.recipe.batch;
    let tokens_per_second = course.each.tokens as f64 / start.elapsed().as_secs_f64();
    let (step, tokens, flops) = (state.done.steps, state.done.tokens, state.done.flops);
    Ok(Step { step, tokens, flops, loss, gradient_norm, learning_rate, tokens_per_second })
}

/// Fills the session's gradients for the next batch and gives its loss.
fn gradient(
    compiled: &Compiled,
    session: &mut dyn Session,
    state: &State,
    course: &Course<'_>,
    reals: Reals,
) -> Result<f64> {
    zero_gradients(compiled, session);
    let batch = course.recipe.batch;
    let targets = course.data.train.targets(state.data.cursor, batch)?;
    let mut loss = 0.0;
    for (first, rows) in micro_batches(batch, course.micro_batch) {
        let (share, inputs) = micro_batch(compiled, session, state, course, reals, [first, rows, targets])?;
        let outputs = session.run("gradient", &[(Symbol::BATCH, rows as i64)], &inputs)?;
        let part = call::scalar(&outputs, "loss")?;
        if !part.is_finite() {
            let place = session.first_non_finite("gradient", &[(Symbol::BATCH, rows as i64)], &inputs);
            return Err(not_finite(state, "loss", part, place));
        }
        loss += share * part;
    }
    Ok(loss)
}

/// A micro-batch's share of the targets, and its inputs: the data's, its share, and the seed of its dropout where the model draws
/// random numbers.
fn micro_batch(
    compiled: &Compiled,
    session: &dyn Session,
    state: &State,
    course: &Course<'_>,
    reals: Reals,
    [first, rows, targets]: [u64; 3],
) -> Result<(f64, Vec<Named>)> {
    let train = &course.data.train;
    let cursor = state.data.cursor + first;
    let share = train.targets(cursor, rows)? as f64 / targets as f64;
    let mut inputs = train.inputs(cursor, rows)?;
    inputs.push(("loss_weight".to_string(), reals.scalar(share)));
    inputs.push(("seed".to_string(), seed(state.seed, state.done.steps, first)));
    let graph = call::graph(compiled, "gradient")?;
    Ok((share, call::inputs(graph, session, rows, inputs)?))
}

/// Two words for the device's generator, another pair for each micro-batch, named by its first sequence.
fn seed(seed: u64, step: u64, first: u64) -> HostTensor {
    let bits = Stream::new(seed, Purpose::Dropout, "", step).bits(first);
    HostTensor::I32 { shape: vec![2], data: vec![bits as i32, (bits >> 32) as i32] }
}

fn zero_gradients(compiled: &Compiled, session: &mut dyn Session) {
    for i in 0..compiled.model.parameters.len() as u32 {
        session.zero(Storage::Gradient(i));
    }
}

/// Looks for the micro-batch whose gradient is not finite.
fn bad_gradient(
    compiled: &Compiled,
    session: &mut dyn Session,
    state: &State,
    course: &Course<'_>,
    reals: Reals,
    norm: f64,
) -> Result<Failure> {
    let batch = course.recipe.batch;
    let targets = course.data.train.targets(state.data.cursor, batch)?;
    for (first, rows) in micro_batches(batch, course.micro_batch) {
        zero_gradients(compiled, session);
        let (_, inputs) = micro_batch(compiled, session, state, course, reals, [first, rows, targets])?;
        let place = session.first_non_finite("gradient", &[(Symbol::BATCH, rows as i64)], &inputs);
        if place.is_some() {
            return Ok(not_finite(state, "gradient norm", norm, place));
        }
    }
    Ok(not_finite(state, "gradient norm", norm, None))
}

fn not_finite(state: &State, what: &str, number: f64, place: Option<String>) -> Failure {
    let place = place.map_or(String::new(), |place| format!("; the first result that is not finite: {place}"));
    let update = state.done.steps + 1;
    Failure::mistake(format!("the {what} of update {update} is {number}{place}"))
}
