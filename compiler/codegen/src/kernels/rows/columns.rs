//! Sums over rows: a work item is a block of columns, each register of them a walk over all rows.

use super::line::{Iteration, Reduced};
use crate::mlir::{Function, Index, Launch, Vector};
use tfc_compiler::kernel::{Access, ColumnReduction, Kernel};

/// Rows that are added one after the other before they are added to the sum, for the sake of rounding.
const RUN: i64 = 128;

pub fn emit<'f>(f: &'f Function<'f>, launch: Launch<'f>, kernel: &Kernel, body: &ColumnReduction) {
    let iteration = Iteration::read(launch, kernel, body.outer_rank, &body.access, &body.program);
    let output = body.access.len();
    let out = launch.buffers.load_pointer(output as i64);
    f.each(launch.begin, launch.end, 1, |item| {
        let begin = item * ColumnReduction::COLUMN_BLOCK;
        let end = (begin + ColumnReduction::COLUMN_BLOCK).or_at_most(iteration.inner);
        f.strips(begin, end, |column, lanes| {
            let total = sum_over(f, &iteration, Vec::new(), f.index(0), f.vector(0.0), &|row, indices, sum| {
                let line = iteration.line(f, row, indices);
                sum + line.evaluate(&body.program, &[body.value], column, lanes, &Reduced::new())[0]
            });
            let total = match kernel.operands[output].access {
                Access::Update => out.load_lanes(column, lanes) + total,
                Access::Read | Access::Write => total,
            };
            out.store_lanes(column, total, lanes);
        });
    });
}

/// Takes up a row: its place among all, its outer indices, the sum so far.
type Take<'a, 'f> = &'a dyn Fn(Index<'f>, Vec<Index<'f>>, Vector<'f>) -> Vector<'f>;

/// Adds all rows that begin with `indices`; `row` is the place of those among all that do.
fn sum_over<'f>(
    f: &'f Function<'f>,
    iteration: &Iteration<'f>,
    indices: Vec<Index<'f>>,
    row: Index<'f>,
    sum: Vector<'f>,
    take: Take<'_, 'f>,
) -> Vector<'f> {
    let Some(size) = iteration.outer.get(indices.len()).copied() else { return take(row, indices, sum) };
    let inside = |index: Index<'f>, sum| {
        sum_over(f, iteration, [indices.clone(), vec![index]].concat(), row * size + index, sum, take)
    };
    f.carry(f.index(0), size, RUN, sum, |begin, total| {
        let end = (begin + RUN).or_at_most(size);
        total + f.carry(begin, end, 1, f.vector(0.0), inside)
    })
}
