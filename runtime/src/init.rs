//! Draws parameters from their distributions.
//!
//! Element e of row r of a parameter is number r · width + e of the parameter's own stream, whatever axis the rows lie along:
//! a row's numbers do not depend on how many rows there are (unless the rows themselves grow, along a second axis).

use crate::Result;
use crate::device::{HostTensor, Session, shape_at};
use crate::random::{Purpose, Stream};
use crate::rows::Layout;
use std::num::NonZero;
use std::ops::Range;
use std::thread;
use tfc_compiler::model::{Init, Model, Parameter};
use tfc_compiler::size::SizeValues;
use tfc_compiler::storage::Storage;

/// Writes every parameter as its init draws it.
///
/// # Errors
/// The device gave up.
pub fn initialize(model: &Model, seed: u64, session: &mut dyn Session) -> Result<()> {
    for (i, parameter) in model.parameters.iter().enumerate() {
        let shape = shape_at(&parameter.shape, session.sizes());
        let layout = layout(parameter, &shape);
        let stream = Stream::new(seed, Purpose::Init, &parameter.path, 0);
        let mut numbers = vec![0f32; shape.iter().product()];
        draw(&parameter.init, session.sizes(), &stream, layout, 0..layout.rows, &mut numbers);
        session.write(Storage::Parameter(i as u32), &HostTensor::F32 { shape, data: numbers })?;
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

/// Draws some rows of a tensor. Every number is a function of its place, so threads may share the work.
pub fn draw(init: &Init, sizes: &SizeValues, stream: &Stream, layout: Layout, rows: Range<usize>, numbers: &mut [f32]) {
    let inner = layout.inner.max(1);
    // Only what is drawn is shared out: where rows were appended, all of it is in the second half.
    let mut pieces: Vec<(u64, &mut [f32])> = Vec::new();
    for (outer, block) in numbers.chunks_mut(layout.rows.max(1) * inner).enumerate() {
        let drawn = block.chunks_mut(inner).enumerate().take(rows.end).skip(rows.start);
        pieces.extend(drawn.map(|(row, piece)| ((row * layout.width() + outer * inner) as u64, piece)));
    }
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = pieces.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        for pieces in pieces.chunks_mut(share) {
            scope.spawn(move || pieces.iter_mut().for_each(|(first, piece)| fill(init, sizes, stream, *first, piece)));
        }
    });
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

    fn drawn(shape: &[usize], axis: usize, rows: Range<usize>) -> Vec<f32> {
        let stream = Stream::new(1, Purpose::Init, "ffn.keys", 0);
        let init = Init::Normal { std: Amount::Number(0.02) };
        let mut numbers = vec![9.0; shape.iter().product()];
        draw(&init, &SizeValues::new(&Symbols::default()), &stream, Layout::new(shape, axis), rows, &mut numbers);
        numbers
    }

    #[test]
    fn numbers_are_those_of_the_stream() {
        let mut want = [0f32; 6];
        Stream::new(1, Purpose::Init, "ffn.keys", 0).fill_normal(0, 0.02, &mut want);
        assert_eq!(drawn(&[2, 3], 0, 0..2), want);
    }

    /// [2, n, 2] at n = 3 and n = 5: the first three rows are the same numbers.
    #[test]
    fn a_row_does_not_depend_on_how_many_there_are() {
        let [small, large] = [3, 5].map(|n| drawn(&[2, n, 2], 1, 0..n));
        for outer in 0..2 {
            assert_eq!(small[outer * 6..][..6], large[outer * 10..][..6]);
        }
        let along_first = drawn(&[5, 4], 0, 0..5);
        for row in 0..5 {
            assert_eq!([&large[row * 2..][..2], &large[10 + row * 2..][..2]].concat(), along_first[row * 4..][..4]);
        }
    }

    #[test]
    fn other_rows_are_left_alone() {
        let whole = drawn(&[4, 3], 0, 0..4);
        let new = drawn(&[4, 3], 0, 2..4);
        assert_eq!(new[..6], [9.0; 6]);
        assert_eq!(new[6..], whole[6..]);
    }
}
