//! Element by element: a warp for each tile of a row.

use super::line::{Iteration, Line, Reduced};
use super::team::{Segment, Team, Visit};
use crate::cuda::kernels::launch::{LANES, QUAD, Taken, Thread};
use crate::mlir::{Function, GpuLaunch, Index};
use tfc_compiler::kernel::{Kernel, Register, RowProgram};

/// Columns: a register for each thread of a warp.
pub const TILE: i64 = LANES * QUAD;

pub fn emit<'f>(f: &'f Function<'f>, launch: &GpuLaunch<'f>, kernel: &Kernel, body: &RowProgram) {
    let iteration = Iteration::read(f, launch, kernel, &body.access, |sizes| body.sizes(sizes));
    let thread = Thread::this(f);
    let tiles = iteration.inner.ceiling_division(TILE);
    let number = thread.warp_of_grid();
    f.when(number.less(iteration.rows(f) * tiles), || {
        let line = iteration.line(f, number / tiles);
        let begin = number % tiles * TILE;
        let segment = Segment::new(&line, begin, (begin + TILE).or_at_most(iteration.inner));
        let team = Team { lane: thread.lane, threads: f.index(LANES) };
        team.each(f, segment, &Elements { line: &line, body });
    });
}

struct Elements<'a, 'f> {
    line: &'a Line<'a, 'f>,
    body: &'a RowProgram,
}

impl<'f> Visit<'f> for Elements<'_, 'f> {
    fn visit<K: Taken>(&self, column: Index<'f>) {
        let registers: Vec<Register> = self.body.stores.iter().map(|(_, register)| *register).collect();
        let values = self.line.evaluate::<K>(&self.body.program, &registers, column, &Reduced::new());
        let stores = self.body.stores.iter().zip(values);
        stores.for_each(|((operand, _), value)| self.line.store(usize::from(*operand), column, value));
    }
}
