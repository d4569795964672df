//! Where the operands of a row program are, along one row.

use crate::cuda::kernels::launch::{QUAD, Size, Taken, is_aligned, sizes};
use crate::kernels::program::evaluate;
use crate::kernels::random;
use crate::math::Accuracy;
use crate::mlir::{Bits, Bool, F32, Function, GpuLaunch, Index, Scalar, Stored, Value};
use tfc_compiler::kernel::{Inner, Kernel, Program, ProgramOp, Register, RowAccess, RowSizes, Strides};

/// The dimensions of the iteration and the operands.
pub struct Iteration<'a, 'f> {
    pub outer: Vec<Index<'f>>,
    pub inner: Index<'f>,
    sizes: RowSizes<Size<'f>>,
    access: &'a [RowAccess],
    buffers: Vec<Stored<'f>>,
    numbers: Vec<Scalar<'f>>,
}

/// One row.
pub struct Line<'a, 'f> {
    f: &'f Function<'f>,
    iteration: &'a Iteration<'a, 'f>,
    outer: Vec<Index<'f>>,
    /// Its place among all.
    row: Index<'f>,
    /// Where each operand's row begins.
    starts: Vec<Stored<'f>>,
}

/// What the reductions of a row came to, by the register of the reduction.
pub type Reduced<'f> = Vec<(Register, Scalar<'f>)>;

impl<'a, 'f> Iteration<'a, 'f> {
    /// `take_apart` is that of the kernel's body, `access` that of all operands but an output that is addressed otherwise.
    pub fn read(
        f: &'f Function<'f>,
        launch: &GpuLaunch<'f>,
        kernel: &Kernel,
        access: &'a [RowAccess],
        take_apart: impl Fn(&[Size<'f>]) -> RowSizes<Size<'f>>,
    ) -> Iteration<'a, 'f> {
        let sizes = take_apart(&sizes(launch));
        let stored = launch.buffers.iter().zip(&kernel.operands);
        let buffers = stored.map(|(pointer, operand)| Stored { pointer: *pointer, dtype: operand.dtype }).collect();
        Iteration {
            outer: sizes.outer.iter().map(|size| size.index(f)).collect(),
            inner: sizes.inner.index(f),
            numbers: sizes.numbers.iter().map(|number| number.index(f).to_float()).collect(),
            sizes,
            access,
            buffers,
        }
    }

    /// How many rows there are.
    pub fn rows(&self, f: &'f Function<'f>) -> Index<'f> {
        self.outer.iter().fold(f.index(1), |rows, size| rows * *size)
    }

    /// Whether every row can be taken up a register at a time.
    pub fn rows_are_aligned(&self, f: &'f Function<'f>) -> Bool<'f> {
        let along = self.access.iter().enumerate().filter(|(_, access)| access.inner == Inner::Unit);
        along.fold(f.truth(true), |all, (operand, _)| {
            let strides = self.sizes.operands[operand].outer.iter().map(|stride| stride.index(f));
            let whole = |stride: Index<'f>| (stride % QUAD).equals(f.index(0));
            strides.fold(all & is_aligned(self.buffers[operand]), |all, stride| all & whole(stride))
        })
    }

    pub fn line(&self, f: &'f Function<'f>, row: Index<'f>) -> Line<'_, 'f> {
        let outer = self.indices(row);
        let start = |(buffer, strides): (&Stored<'f>, &Strides<Size<'f>>)| {
            let strides = strides.outer.iter().map(|stride| stride.index(f));
            buffer.at(outer.iter().zip(strides).fold(f.index(0), |sum, (index, stride)| sum + *index * stride))
        };
        let starts = self.buffers.iter().zip(&self.sizes.operands).map(start).collect();
        Line { f, iteration: self, outer, row, starts }
    }

    fn indices(&self, row: Index<'f>) -> Vec<Index<'f>> {
        let mut rest = row;
        let mut indices = Vec::new();
        // The first dimension needs no remainder.
        for (dimension, size) in self.outer.iter().enumerate().rev() {
            indices.push(if dimension == 0 { rest } else { rest % *size });
            rest = if dimension == 0 { rest } else { rest / *size };
        }
        indices.reverse();
        indices
    }
}

impl<'f> Line<'_, 'f> {
    /// Whether what lies side by side along the row can be taken up a register at a time.
    pub fn is_aligned(&self) -> Bool<'f> {
        let along = self.iteration.access.iter().zip(&self.starts).filter(|(access, _)| access.inner == Inner::Unit);
        along.fold(self.f.truth(true), |all, (_, start)| all & is_aligned(*start))
    }

    /// Registers of the program at a column, and at the next if K is wider.
    pub fn evaluate<K: Taken>(
        &self,
        program: &Program,
        wanted: &[Register],
        column: Index<'f>,
        reduced: &Reduced<'f>,
    ) -> Vec<Value<'f, K>> {
        let numbers = |i: u16| K::splat(self.iteration.numbers[usize::from(i)]);
        evaluate(self.f, Accuracy::F32, program, wanted, &mut |register, op| match op {
            ProgramOp::Load(operand) => self.load((*operand).into(), column),
            ProgramOp::Size(i) => numbers(*i),
            ProgramOp::InnerIndex => K::Bits::counting(column).to_float(),
            ProgramOp::OuterIndex(dimension) => K::splat(self.outer[usize::from(*dimension)].to_float()),
            ProgramOp::Uniform { seed, stream } => {
                let seed = self.iteration.buffers[usize::from(*seed)].pointer;
                random::uniform(seed, numbers(*stream), self.row * self.iteration.inner + column)
            }
            ProgramOp::Reduce(..) | ProgramOp::KthLargest(..) => {
                K::splat(reduced.iter().find(|(r, _)| *r == register).expect("reductions of an earlier pass").1)
            }
            ProgramOp::Constant(_)
            | ProgramOp::Unary(..)
            | ProgramOp::Binary(..)
            | ProgramOp::Select(..)
            | ProgramOp::Given => unreachable!("{op:?} is no leaf of a row program"),
        })
    }

    fn load<K: Taken>(&self, operand: usize, column: Index<'f>) -> Value<'f, K> {
        let start = self.starts[operand];
        match self.iteration.access[operand].inner {
            Inner::Unit => K::load(start, column),
            Inner::Row => K::splat(<F32 as Taken>::load(start, self.f.index(0))),
            Inner::Strided => {
                let stride = self.iteration.sizes.operands[operand].inner.index(self.f);
                let one = |i| <F32 as Taken>::load(start, (column + i) * stride);
                K::register(self.f, &(0..K::WIDTH).map(one).collect::<Vec<_>>())
            }
        }
    }

    pub fn store<K: Taken>(&self, operand: usize, column: Index<'f>, value: Value<'f, K>) {
        let start = self.starts[operand];
        match self.iteration.access[operand].inner {
            Inner::Unit => K::store(start, column, value),
            Inner::Row => <F32 as Taken>::store(start, self.f.index(0), K::scalars(value)[0]),
            Inner::Strided => {
                let stride = self.iteration.sizes.operands[operand].inner.index(self.f);
                for (i, scalar) in K::scalars(value).into_iter().enumerate() {
                    <F32 as Taken>::store(start, (column + i as i64) * stride, scalar);
                }
            }
        }
    }
}
