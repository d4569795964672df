//! Row programs, column reductions and copies.

use super::{Bound, Emitter, Scope, output};
use crate::fuse::{ColumnWork, RowWork, Task};
use crate::graph::Type;
use crate::kernel::{Body, ColumnReduction, Inner, Kernel, Operand, Program, ProgramOp, RowAccess, RowProgram};
use crate::plan::{Argument, Launch, Step};
use crate::size::Size;

impl Emitter<'_> {
    pub(super) fn rows(&mut self, scope: &Scope, task: &Task, work: &RowWork) -> Step {
        let (bound, stored) = self.bind(scope, task, |_| true);
        let access: Vec<RowAccess> = bound.iter().map(|b| row_access(b, &work.inner)).collect();
        let mut sizes = row_sizes(&work.outer, &work.inner, &bound, &access);
        sizes.extend(task.numbers.iter().cloned());
        let body = RowProgram {
            outer_rank: work.outer.len() as u8,
            program: work.program.clone(),
            stores: stored.into_iter().zip(work.results.iter().copied()).collect(),
            access,
        };
        Step::Launch(self.launch(scope, task, Body::Rows(body), bound, sizes))
    }

    pub(super) fn columns(&mut self, scope: &Scope, task: &Task, work: &ColumnWork) -> Step {
        let (mut bound, _) = self.bind(scope, task, |_| false);
        let mut out = bound.pop().expect("bug in tfc: a column reduction has an output");
        let access: Vec<RowAccess> = bound.iter().map(|b| row_access(b, &work.inner)).collect();
        let mut sizes = row_sizes(&work.outer, &work.inner, &bound, &access);
        sizes.extend(task.numbers.iter().cloned());
        out.operand = output(out.operand.dtype, task.onto.is_some());
        bound.push(out);
        let (outer_rank, program, value) = (work.outer.len() as u8, work.program.clone(), work.result);
        let body = ColumnReduction { outer_rank, program, value, access };
        Step::Launch(self.launch(scope, task, Body::Columns(body), bound, sizes))
    }

    /// Copies a dense tensor.
    pub(super) fn copy(&mut self, ty: &Type, from: Argument, to: Argument) -> Launch {
        let mut program = Program::default();
        let element = program.push(ProgramOp::Load(0));
        let access = vec![RowAccess { inner: Inner::Unit }; 2];
        let body = Body::Rows(RowProgram { outer_rank: 1, program, stores: vec![(1, element)], access });
        let dtype = ty.dtype;
        let operands = vec![Operand { dtype, ..Operand::READ }, Operand { dtype, ..Operand::WRITE }];
        let kernel = self.kernel(Kernel { body, operands });
        let width = ty.shape.last().cloned().unwrap_or(Size::constant(1));
        let rows = Size::product(&ty.shape[..ty.rank().saturating_sub(1)]);
        let sizes = vec![rows, width.clone(), width.clone(), width];
        Launch { kernel, arguments: vec![from, to], sizes, span: None, label: "copy".into() }
    }
}

fn row_access(bound: &Bound, inner: &Size) -> RowAccess {
    let stride = bound.strides.last().cloned().unwrap_or_default();
    let inner = match (stride.is_one() || inner.is_one(), stride == Size::default()) {
        (true, _) => Inner::Unit,
        (false, true) => Inner::Row,
        (false, false) => Inner::Strided,
    };
    RowAccess { inner }
}

fn row_sizes(outer: &[Size], inner: &Size, bound: &[Bound], access: &[RowAccess]) -> Vec<Size> {
    let mut sizes = outer.to_vec();
    sizes.push(inner.clone());
    for (bound, access) in bound.iter().zip(access) {
        let all = if access.inner == Inner::Strided { outer.len() + 1 } else { outer.len() };
        sizes.extend_from_slice(&bound.strides[..all]);
    }
    sizes
}
