//! From global memory to a slice in shared memory: loaded into registers, computed, rounded, written; or copied as it is.

use super::arguments::{Arguments, Operand, Place, Quad};
use super::source::Source;
use crate::cuda::kernels::launch::QUAD;
use crate::cuda::kernels::slice::{self, Side, Slice};
use crate::kernels::program::evaluate;
use crate::mlir::{Bool, F32s, Float, Function, Index, Int32, Multiplicand, Scalar, Shared, Vector};
use tfc_compiler::kernel::ProgramOp;

pub struct Feed<'a, 'f> {
    pub f: &'f Function<'f>,
    pub arguments: &'a Arguments<'f>,
    pub source: &'a Source<'a>,
    pub slice: Slice,
    pub thread: Int32<'f>,
    pub threads: i64,
    pub outer: Index<'f>,
    /// The first of the tile's lanes in the matrix.
    pub first: Index<'f>,
}

/// What a thread has loaded of a slice: quads, and numbers of rows.
pub type Loaded<'f> = (Vec<Vector<'f>>, Vec<Scalar<'f>>);

impl<'f> Feed<'_, 'f> {
    fn matrix(&self) -> &Operand<'f> {
        match self.slice.side {
            Side::A => &self.arguments.a,
            Side::B => &self.arguments.b,
        }
    }

    /// The operands that the prologue loads.
    fn operands(&self) -> Vec<&Operand<'f>> {
        let loads = self.source.prologue.map(|(program, _)| program.loads()).unwrap_or_default();
        loads.into_iter().map(|operand| self.arguments.operand(operand)).collect()
    }

    /// Rows and columns of the matrix as it is stored.
    fn size(&self) -> (Index<'f>, Index<'f>) {
        let lanes = match self.slice.side {
            Side::A => self.arguments.m,
            Side::B => self.arguments.n,
        };
        if self.slice.along_k { (lanes, self.arguments.k) } else { (self.arguments.k, lanes) }
    }

    /// Whether everything can be loaded four columns at a time.
    pub fn is_aligned(&self) -> Bool<'f> {
        let operands = self.operands().into_iter().chain([self.matrix()]);
        operands.fold(self.is_whole(QUAD), |all, operand| all & operand.is_aligned(self.f, QUAD))
    }

    /// Whether rows are so many columns, or a multiple of them.
    fn is_whole(&self, columns: i64) -> Bool<'f> {
        (self.size().1 % columns).equals(self.f.index(0))
    }

    /// The chunks that the thread takes.
    fn chunks(&self) -> impl Iterator<Item = slice::Place<'f>> {
        (0..self.slice.chunks() / self.threads).map(|turn| self.slice.chunk_of(self.thread, self.threads, turn))
    }

    /// The place of number `i` of a chunk, in the matrix or beyond it.
    fn place(&self, chunk: slice::Place<'f>, i: i64, k: Index<'f>) -> Place<'f> {
        let row = chunk.row.to_index() + chunk.rows;
        let column = (chunk.chunk.to_index() + chunk.chunks) * self.slice.chunk() + i;
        match self.slice.along_k {
            true => Place { outer: self.outer, row: self.first + row, column: k + column },
            false => Place { outer: self.outer, row: k + row, column: self.first + column },
        }
    }

    /// Where in a chunk its quads begin.
    fn quads(&self) -> impl Iterator<Item = i64> {
        (0..self.slice.chunk()).step_by(QUAD as usize)
    }

    /// Begins to copy the thread's part of the slice that begins with `k`, where rows are aligned for quads: zeros where k has ended, and anything that is in the
    /// matrix for lanes that are not.
    pub fn copy(&self, k: Index<'f>, to: Shared<'f>) {
        let chunk = self.slice.chunk();
        if chunk == QUAD {
            return self.copy_parts(chunk, k, to);
        }
        let whole = self.is_whole(chunk) & self.matrix().is_aligned(self.f, chunk);
        self.f.either(whole, || self.copy_parts(chunk, k, to), || self.copy_parts(QUAD, k, to));
    }

    /// So many numbers of a chunk at once.
    fn copy_parts(&self, numbers: i64, k: Index<'f>, to: Shared<'f>) {
        let (f, (rows, columns)) = (self.f, self.size());
        let bytes = |numbers: i64| numbers * self.slice.multiplicand.bytes();
        for chunk in self.chunks() {
            let to = self.slice.at(to, chunk);
            for i in (0..self.slice.chunk()).step_by(numbers as usize) {
                let place = self.place(chunk, i, k);
                let along_k = if self.slice.along_k { place.column } else { place.row };
                let there = along_k.less(self.arguments.k).select(f.int32(bytes(numbers) as i32), f.int32(0));
                let (row, column) = (place.row.or_at_most(rows - 1), place.column.or_at_most(columns - numbers));
                let from = self.matrix().at(Place { row, column, ..place });
                let to = to.at(f.index(bytes(i) / size_of::<f32>() as i64));
                match bytes(numbers) {
                    slice::CHUNK_BYTES => f.copy_sixteen(from, to, there),
                    _ => f.copy_eight(from, to, there),
                }
            }
        }
    }

    /// Loads the thread's part of the slice that begins with `k`; what is not in the matrix is anything that is.
    pub fn load(&self, k: Index<'f>, aligned: bool) -> Loaded<'f> {
        let (rows, columns) = self.size();
        let quad = if aligned { Quad::Aligned } else { Quad::Apart { end: columns } };
        let (mut quads, mut ones) = (Vec::new(), Vec::new());
        for chunk in self.chunks() {
            for i in self.quads() {
                let place = self.place(chunk, i, k);
                let column = if aligned { place.column.or_at_most(columns - QUAD) } else { place.column };
                let place = Place { row: place.row.or_at_most(rows - 1), column, ..place };
                quads.push(self.matrix().load_quad(place, quad));
                for operand in self.operands() {
                    match operand.is_one_for_a_row() {
                        true => ones.push(operand.load_one(place)),
                        false => quads.push(operand.load_quad(place, quad)),
                    }
                }
            }
        }
        (quads, ones)
    }

    /// Computes what was loaded for `k`, rounds it and writes it to the slice; zeros where k has ended.
    pub fn write(&self, loaded: Loaded<'f>, k: Index<'f>, aligned: bool, to: Shared<'f>) {
        let (mut quads, mut ones) = (loaded.0.into_iter(), loaded.1.into_iter());
        let mut next = |one: bool| match one {
            true => F32s::splat(ones.next().expect("as many as were loaded")),
            false => quads.next().expect("as many as were loaded"),
        };
        for chunk in self.chunks() {
            let mut numbers = Vec::new();
            for i in self.quads() {
                let given = next(false);
                let operands: Vec<Vector> =
                    self.operands().iter().map(|operand| next(operand.is_one_for_a_row())).collect();
                let place = self.place(chunk, i, k);
                numbers.push(self.before_end(place, aligned, self.compute(given, &operands, place)));
            }
            let place = self.slice.at(to, chunk);
            let zero = self.f.index(0);
            match self.slice.multiplicand {
                Multiplicand::Bf16 => place.store_aligned(zero, numbers[0].as_bf16_with(numbers[1])),
                Multiplicand::Tf32 => place.store_aligned(zero, numbers[0].as_tf32()),
            }
        }
    }

    /// The prologue of four numbers.
    fn compute(&self, given: Vector<'f>, operands: &[Vector<'f>], place: Place<'f>) -> Vector<'f> {
        let Some((program, result)) = self.source.prologue else { return given };
        let loads = program.loads();
        evaluate(self.f, self.arguments.accuracy, program, &[*result], &mut |_, op| match op {
            ProgramOp::Given => given,
            ProgramOp::Load(operand) => operands[loads.iter().position(|o| o == operand).expect("one of them")],
            ProgramOp::Size(i) => F32s::splat(self.arguments.number(*i)),
            ProgramOp::InnerIndex => place.column.counting().to_float(),
            ProgramOp::Constant(_)
            | ProgramOp::Unary(..)
            | ProgramOp::Binary(..)
            | ProgramOp::Select(..)
            | ProgramOp::OuterIndex(_)
            | ProgramOp::Reduce(..)
            | ProgramOp::KthLargest(..)
            | ProgramOp::Uniform { .. } => unreachable!("{op:?} is no leaf of a prologue: see `check`"),
        })[0]
    }

    /// The number where k has not ended, else 0.
    fn before_end(&self, place: Place<'f>, aligned: bool, value: Vector<'f>) -> Vector<'f> {
        let (k, zero) = (self.arguments.k, self.f.vector(0.0));
        match (self.slice.along_k, aligned) {
            (true, true) => place.column.less(k).select(value, zero),
            (true, false) => (k - place.column).lanes().select(value, zero),
            (false, _) => place.row.less(k).select(value, zero),
        }
    }
}
