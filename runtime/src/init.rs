//! Draws parameters from their distributions.
//!
//! Element e of row r of a parameter is number r · width + e of the parameter's own stream, whatever axis the rows lie along:
//! a row's numbers do not depend on how many rows there are (unless the rows themselves grow, along a second axis).

use crate::Result;
use crate::device::{Session, shape_at};
use crate::random::{Purpose, Stream};
use crate::rows::Layout;
use std::num::NonZero;
use std::thread;
use tfc_compiler::model::{Init, Model, Parameter};
use tfc_compiler::size::SizeValues;
use tfc_compiler::storage::Storage;

/// Fewer numbers are not worth a thread.
const LEAST: usize = 1 << 14;

/// Writes every parameter as its init draws it.
///
/// # Errors
/// The device gave up.
pub fn initialize(model: &Model, seed: u64, session: &mut dyn Session) -> Result<()> {
    for (i, parameter) in model.parameters.iter().enumerate() {
        let shape = shape_at(&parameter.shape, session.sizes());
        let layout = layout(parameter, &shape);
        let stream = Stream::new(seed, Purpose::Init, &parameter.path, 0);
        let (sizes, places) = (session.sizes().clone(), 0..shape.iter().product());
        let mut drawn = |first, numbers: &mut [f32]| draw(&parameter.init, &sizes, &stream, layout, first, numbers);
        session.fill(Storage::Parameter(i as u32), places, &mut drawn)?;
    }
    Ok(())
}

/// The rows that a parameter's numbers are counted by: along the first axis that grows, or along the first.
pub fn layout(parameter: &Parameter, shape: &[usize]) -> Layout {
    match (parameter.grows.first(), shape) {
        (Some((axis, _)), _) => Layout::new(shape, *axis),
        (None, []) => Layout { outer: 1, rows: 1, inner: 1 },
        (None, _) => Layout::new(shape, 0),
    }
}

/// Draws the numbers of a tensor that stand at `first` and behind it. Each is a function of its place, so threads may share the work.
pub fn draw(init: &Init, sizes: &SizeValues, stream: &Stream, layout: Layout, first: usize, numbers: &mut [f32]) {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = numbers.len().div_ceil(threads).max(LEAST);
    let draw = |first, numbers| draw_alone(init, sizes, stream, layout, first, numbers);
    if numbers.len() <= share {
        return draw(first, numbers);
    }
    thread::scope(|scope| {
        for (part, numbers) in numbers.chunks_mut(share).enumerate() {
            scope.spawn(move || draw(first + part * share, numbers));
        }
    });
}

fn draw_alone(init: &Init, sizes: &SizeValues, stream: &Stream, layout: Layout, first: usize, numbers: &mut [f32]) {
    let (mut place, mut rest) = (first, numbers);
    while !rest.is_empty() {
        let (element, behind) = layout.element(place);
        // One piece follows the other where rows lie along the first axis.
        let count = if layout.outer == 1 { rest.len() } else { behind.min(rest.len()) };
        let (piece, others) = rest.split_at_mut(count);
        fill(init, sizes, stream, element as u64, piece);
        (place, rest) = (place + count, others);
    }
}

fn fill(init: &Init, sizes: &SizeValues, stream: &Stream, first: u64, numbers: &mut [f32]) {
    match init {
        Init::Zero => numbers.fill(0.0),
        Init::One => numbers.fill(1.0),
        Init::Normal { std } => stream.fill_normal(first, std.eval(sizes), numbers),
        Init::Uniform { bound } => stream.fill_uniform(first, bound.eval(sizes), numbers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfc_compiler::model::Amount;
    use tfc_compiler::size::Symbols;

    /// The numbers from `first` on.
    fn drawn(shape: &[usize], axis: usize, first: usize) -> Vec<f32> {
        let stream = Stream::new(1, Purpose::Init, "ffn.keys", 0);
        let init = Init::Normal { std: Amount::Number(0.02) };
        let mut numbers = vec![9.0; shape.iter().product::<usize>() - first];
        draw(&init, &SizeValues::new(&Symbols::default()), &stream, Layout::new(shape, axis), first, &mut numbers);
        numbers
    }

    #[test]
    fn numbers_are_those_of_the_stream() {
        let mut want = [0f32; 6];
        Stream::new(1, Purpose::Init, "ffn.keys", 0).fill_normal(0, 0.02, &mut want);
        assert_eq!(drawn(&[2, 3], 0, 0), want);
    }

    /// [2, n, 2] at n = 3 and n = 5: the first three rows are the same numbers.
    #[test]
    fn a_row_does_not_depend_on_how_many_there_are() {
        let [small, large] = [3, 5].map(|n| drawn(&[2, n, 2], 1, 0));
        for outer in 0..2 {
            assert_eq!(small[outer * 6..][..6], large[outer * 10..][..6]);
        }
        let along_first = drawn(&[5, 4], 0, 0);
        for row in 0..5 {
            assert_eq!([&large[row * 2..][..2], &large[10 + row * 2..][..2]].concat(), along_first[row * 4..][..4]);
        }
    }

    #[test]
    fn a_number_does_not_depend_on_where_drawing_begins() {
        for (shape, axis) in [([2, 5, 3], 1), ([3, 4, 2], 2), ([300, 40, 6], 0), ([40, 300, 6], 1)] {
            let whole = drawn(&shape, axis, 0);
            for first in [1, 7, 22] {
                assert_eq!(drawn(&shape, axis, first), whole[first..], "{shape:?} along {axis} from {first}");
            }
        }
    }
}
