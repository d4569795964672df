//! Growth by splitting: every key r times, its value divided by r, which changes nothing where the scale follows n.
//!
//! The copies stand in blocks after the originals: row i of n is copied to n + i, 2n + i, …. Values are what is divided; every
//! other parameter of the same tokens is copied as keys are. Moments go along: the gradient of each of r copies of a key is
//! 1/r of what the key's would have been, that of a value is what it was. Noise multiplies each element of a copied key by
//! 1 + noise · z, z normal, and leaves the originals alone: without it the copies would stay equal for ever.

use crate::checkpoint::State;
use crate::device::{HostTensor, Session, shape_at};
use crate::random::{Purpose, Stream};
use crate::rows::{self, GrownAxis};
use crate::{Failure, Result};
use tfc_compiler::model::{Model, Role};
use tfc_compiler::size::SizeValues;
use tfc_compiler::storage::Storage;

/// An error if some axis does not grow to a multiple of its size.
pub fn check(model: &Model, before: &SizeValues, after: &SizeValues) -> Result<()> {
    for axis in &model.token_axes {
        let [old, new] = [before, after].map(|sizes| sizes.get(axis.symbol));
        if new > old && (old == 0 || new % old != 0) {
            let what = format!("`{}` cannot grow from {old} to {new} tokens by splitting", axis.path);
            return Err(Failure::mistake(format!("{what}: that needs a multiple of {old}")));
        }
    }
    Ok(())
}

/// Fills the rows that `before` did not have with copies of those it had.
///
/// # Errors
/// The device gave up.
pub fn split(model: &Model, session: &mut dyn Session, state: &State, before: &SizeValues, noise: f64) -> Result<()> {
    for (i, parameter) in model.parameters.iter().enumerate() {
        let shape = shape_at(&parameter.shape, session.sizes());
        let grown = rows::grown(parameter, &shape, before);
        if grown.is_empty() {
            continue;
        }
        let i = i as u32;
        let share: f64 = grown.iter().map(|axis| axis.new.start as f64 / axis.layout.rows as f64).product();
        let [weight, gradient] = if parameter.role == Role::Values { [share, 1.0] } else { [1.0, share] };
        let mut change = |storage, factor: f64, noise: f64| {
            let mut numbers = session.read(storage)?.to_f64();
            numbers.iter_mut().for_each(|x| *x *= factor);
            for GrownAxis { layout, new } in &grown {
                new.clone().for_each(|row| layout.copy(&mut numbers, row % new.start, row));
            }
            if noise != 0.0 {
                let stream = Stream::new(state.seed, Purpose::Growth, &parameter.path, state.done.steps);
                grown.iter().for_each(|axis| disturb(&mut numbers, axis, &stream, noise));
            }
            session.write(storage, &HostTensor::F64 { shape: shape.clone(), data: numbers })
        };
        let key_noise = if parameter.role == Role::Keys { noise } else { 0.0 };
        change(Storage::Parameter(i), weight, key_noise)?;
        change(Storage::FirstMoment(i), gradient, 0.0)?;
        change(Storage::SecondMoment(i), gradient * gradient, 0.0)?;
    }
    Ok(())
}

fn disturb(numbers: &mut [f64], GrownAxis { layout, new }: &GrownAxis, stream: &Stream, noise: f64) {
    for row in new.clone() {
        for (element, place) in layout.pieces(row).flatten().enumerate() {
            numbers[place] *= 1.0 + noise * stream.normal((row * layout.width() + element) as u64);
        }
    }
}
