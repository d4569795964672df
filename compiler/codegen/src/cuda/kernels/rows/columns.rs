//! Sums over rows: a block for a few columns, its threads divide the rows.
//!
//! A block of eight columns reads a sector of 32 bytes of each row; so few columns make enough blocks for a GPU of a few hundred columns already. Which rows a
//! thread adds and how their sums are joined depends on the sizes alone.

use super::line::{Iteration, Reduced};
use crate::cuda::kernels::launch::{LANES, QUAD, THREADS, Taken, Thread, WARPS};
use crate::kernels::rows::{Step, Total};
use crate::mlir::{F32, F32s, Function, GpuLaunch, Index, Scalar, Value};
use tfc_compiler::executable::{Extent, Geometry};
use tfc_compiler::kernel::{Access, ColumnReduction, Kernel};

/// Columns of a block.
const COLUMNS: i64 = 8;
/// Threads side by side in a row.
const ABREAST: i64 = COLUMNS / QUAD;
/// Rows that the block takes up at once.
const ROWS: i64 = THREADS as i64 / ABREAST;
/// Rows that a thread adds one after the other before it adds that to its total, for the sake of rounding.
const RUN: i64 = 64;

pub fn geometry(body: &ColumnReduction) -> Geometry {
    let blocks = Extent::Size(body.outer_rank.into()).units(COLUMNS);
    let shared_bytes = (WARPS * COLUMNS) as u32 * size_of::<f32>() as u32;
    Geometry { threads: THREADS, blocks, shared_bytes }
}

pub fn emit<'f>(f: &'f Function<'f>, launch: &GpuLaunch<'f>, kernel: &Kernel, body: &ColumnReduction) {
    let iteration = Iteration::read(f, launch, kernel, &body.access, |sizes| body.sizes(sizes));
    let (thread, shared) = (Thread::this(f), f.shared_memory());
    let first = thread.block * COLUMNS;
    let column = first + thread.number % ABREAST * QUAD;
    let sums = Sums { f, thread, iteration: &iteration, body };
    // The sums of a warp, a row for each.
    let of_warp = shared.at(thread.warp * COLUMNS + thread.lane * QUAD);
    let keep = |i: Index<'f>, sum| f.when(thread.lane.less(f.index(ABREAST)), || of_warp.store(i, sum));
    let (rows, none) = (iteration.rows(f), f.index(0));
    let whole = (first + COLUMNS).at_most(iteration.inner);
    f.either(
        whole & iteration.rows_are_aligned(f),
        || {
            let all = sums.of_warp::<F32s>(column, rows).into_iter().enumerate();
            all.for_each(|(i, sum)| keep(f.index(i as i64), sum));
        },
        || {
            f.times(f.index(QUAD), |i| {
                let rows = (column + i).less(iteration.inner).select(rows, none);
                keep(i, sums.of_warp::<F32>(column + i, rows)[0]);
            });
        },
    );
    f.barrier();
    let column = first + thread.number;
    f.when(thread.number.less(f.index(COLUMNS)) & column.less(iteration.inner), || {
        let warps = (0..WARPS).map(|warp| shared.load(thread.number + warp * COLUMNS));
        let sum = warps.reduce(|a, b| a + b).expect("a block has warps");
        let output = body.access.len();
        let out = launch.buffers[output];
        out.store(
            column,
            match kernel.operands[output].access {
                Access::Update => out.load(column) + sum,
                Access::Read | Access::Write => sum,
            },
        );
    });
}

struct Sums<'a, 'f> {
    f: &'f Function<'f>,
    thread: Thread<'f>,
    iteration: &'a Iteration<'a, 'f>,
    body: &'a ColumnReduction,
}

impl<'f> Sums<'_, 'f> {
    /// Of the rows that the threads of a warp take up, from a column on, in all threads that are alike in their columns.
    fn of_warp<K: Taken>(&self, column: Index<'f>, rows: Index<'f>) -> Vec<Scalar<'f>> {
        let alike = [16, 8, 4, 2];
        let sum = K::scalars(self.of_thread::<K>(column, rows)).into_iter();
        sum.map(|sum| sum.across_lanes(&alike, |a, b| a + b)).collect()
    }

    fn of_thread<K: Taken>(&self, column: Index<'f>, rows: Index<'f>) -> Value<'f, K> {
        let (f, zero) = (self.f, K::constant(self.f, 0.0));
        let first = self.thread.number / ABREAST;
        let (sum, _) = f.carry(first, rows, ROWS * RUN, (zero, zero), |row, (sum, lost)| {
            let end = (row + ROWS * RUN).or_at_most(rows);
            let run = f.carry(row, end, ROWS, zero, |row, run| {
                let line = self.iteration.line(f, row);
                let value = line.evaluate::<K>(&self.body.program, &[self.body.value], column, &Reduced::new())[0];
                Step::Add.take(run, value)
            });
            let Total { sum, lost } = Step::Add.join(Total { sum, lost }, run);
            (sum, lost)
        });
        sum
    }
}

const _: () = assert!(ABREAST == 2 && LANES == 32, "the lanes that are alike in their columns");
