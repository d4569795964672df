//! Sums over rows: a work item is a block of columns, some registers of them a walk over all rows.

use super::line::{Iteration, Reduced};
use crate::mlir::{Function, Index, Lanes, Launch, Vector};
use tfc_compiler::kernel::{Access, ColumnReduction, Kernel};

/// Rows that are added one after the other before they are added to the sum, for the sake of rounding.
const RUN: i64 = 128;

/// Registers of columns that are summed in one walk: what a row has there lies side by side.
const REGISTERS: i64 = 4;

pub fn emit<'f>(f: &'f Function<'f>, launch: Launch<'f>, kernel: &Kernel, body: &ColumnReduction) {
    let iteration = Iteration::read(launch, kernel, body.outer_rank, &body.access, &body.program);
    let output = body.access.len();
    let out = launch.buffers.load_pointer(output as i64);
    f.each(launch.begin, launch.end, 1, |item| {
        let begin = item * ColumnReduction::COLUMN_BLOCK;
        let end = (begin + ColumnReduction::COLUMN_BLOCK).or_at_most(iteration.inner);
        let walk = |columns: &[Index<'f>], lanes: Lanes<'f>| {
            let zeros = vec![f.vector(0.0); columns.len()];
            let totals = sum_over(f, &iteration, Vec::new(), f.index(0), zeros, &|row, indices, sums| {
                let line = iteration.line(f, row, indices);
                let value = |column| line.evaluate(&body.program, &[body.value], column, lanes, &Reduced::new())[0];
                sums.into_iter().zip(columns).map(|(sum, column)| sum + value(*column)).collect()
            });
            for (column, total) in columns.iter().zip(totals) {
                let total = match kernel.operands[output].access {
                    Access::Update => out.load_lanes(*column, lanes) + total,
                    Access::Read | Access::Write => total,
                };
                out.store_lanes(*column, total, lanes);
            }
        };
        let width = f.vectors().width as i64;
        let whole = begin + (end - begin) / (REGISTERS * width) * (REGISTERS * width);
        f.each(begin, whole, REGISTERS * width, |column| {
            let columns: Vec<Index> = (0..REGISTERS).map(|register| column + register * width).collect();
            walk(&columns, Lanes::All);
        });
        f.strips(whole, end, |column, lanes| walk(&[column], lanes));
    });
}

/// Takes up a row: its place among all, its outer indices, the sums so far.
type Take<'a, 'f> = &'a dyn Fn(Index<'f>, Vec<Index<'f>>, Vec<Vector<'f>>) -> Vec<Vector<'f>>;

/// Adds all rows that begin with `indices`; `row` is the place of those among all that do.
fn sum_over<'f>(
    f: &'f Function<'f>,
    iteration: &Iteration<'f>,
    indices: Vec<Index<'f>>,
    row: Index<'f>,
    sums: Vec<Vector<'f>>,
    take: Take<'_, 'f>,
) -> Vec<Vector<'f>> {
    let Some(size) = iteration.outer.get(indices.len()).copied() else { return take(row, indices, sums) };
    let inside = |index: Index<'f>, sums| {
        sum_over(f, iteration, [indices.clone(), vec![index]].concat(), row * size + index, sums, take)
    };
    let zeros = vec![f.vector(0.0); sums.len()];
    f.carry(f.index(0), size, RUN, sums, |begin, totals| {
        let end = (begin + RUN).or_at_most(size);
        let run = f.carry(begin, end, 1, zeros, inside);
        totals.into_iter().zip(run).map(|(total, run)| total + run).collect()
    })
}
