//! What a contraction reads beside its matrices, and the matrices as they are stored.

use crate::cuda::kernels::launch::{QUAD, Size, Taken, is_aligned_to, sizes};
use crate::kernels::rotary::Turning;
use crate::math::Accuracy;
use crate::mlir::{Bool, F32, F32s, Function, GpuLaunch, Index, Pointer, Scalar, Stored, Value, Vector};
use tfc_compiler::kernel::{Contraction, ContractionAccess, Kernel, Strides};

/// An operand of the kernel, addressed by (outer, row, column).
#[derive(Clone, Copy)]
pub struct Operand<'f> {
    pub elements: Stored<'f>,
    access: ContractionAccess,
    outer: Index<'f>,
    row: Index<'f>,
}

/// An element of one of the matrices as it is stored.
#[derive(Clone, Copy)]
pub struct Place<'f> {
    pub outer: Index<'f>,
    pub row: Index<'f>,
    pub column: Index<'f>,
}

/// How four consecutive columns are read.
#[derive(Clone, Copy)]
pub enum Quad<'f> {
    /// At once.
    Aligned,
    /// One by one, zeros from `end` on.
    Apart { end: Index<'f> },
}

pub struct Arguments<'f> {
    pub m: Index<'f>,
    pub n: Index<'f>,
    pub k: Index<'f>,
    pub a: Operand<'f>,
    pub b: Operand<'f>,
    /// Of what is computed on the way to and from the product.
    pub accuracy: Accuracy,
    pub turning: Option<Turning<'f>>,
    operands: Vec<Operand<'f>>,
    numbers: Vec<Scalar<'f>>,
}

impl<'f> Arguments<'f> {
    pub fn new(f: &'f Function<'f>, launch: &GpuLaunch<'f>, kernel: &Kernel, body: &Contraction) -> Arguments<'f> {
        let sizes = body.sizes(&sizes(launch));
        let operand = |i: usize, access: ContractionAccess, strides: &Strides<Size<'f>>| Operand {
            elements: Stored { pointer: launch.buffers[i], dtype: kernel.operands[i].dtype },
            access,
            outer: strides.outer[0].index(f),
            row: strides.outer[1].index(f),
        };
        let positions = sizes.positions.map(|positions| positions.index(f));
        let turned = body.rotary.as_ref().zip(positions);
        let table = |i: usize| launch.buffers[2 + body.access.len() + i];
        let further = body.access.iter().zip(&sizes.operands).enumerate();
        Arguments {
            m: sizes.m.index(f),
            n: sizes.n.index(f),
            k: sizes.k.index(f),
            a: operand(0, ContractionAccess::Matrix, &sizes.a),
            b: operand(1, ContractionAccess::Matrix, &sizes.b),
            accuracy: body.precision.into(),
            turning: turned.map(|(rotary, positions)| Turning::new(rotary, [0, 1, 2].map(table), positions)),
            operands: further.map(|(i, (access, strides))| operand(i + 2, *access, strides)).collect(),
            numbers: sizes.numbers.iter().map(|number| number.index(f).to_float()).collect(),
        }
    }

    pub fn operand(&self, operand: u16) -> &Operand<'f> {
        &self.operands[usize::from(operand) - 2]
    }

    pub fn number(&self, i: u16) -> Scalar<'f> {
        self.numbers[usize::from(i)]
    }
}

impl<'f> Operand<'f> {
    /// Whether it is the same along a row.
    pub fn is_one_for_a_row(&self) -> bool {
        matches!(self.access, ContractionAccess::PerRow | ContractionAccess::Scalar)
    }

    /// Whether so many columns can be read and written at once, where the number of the first is a multiple of them.
    pub fn is_aligned(&self, f: &'f Function<'f>, columns: i64) -> Bool<'f> {
        let whole = |stride: Index<'f>| (stride % columns).equals(f.index(0));
        match self.access {
            ContractionAccess::Matrix => is_aligned_to(columns, self.elements) & whole(self.outer) & whole(self.row),
            ContractionAccess::PerColumn => is_aligned_to(columns, self.elements),
            ContractionAccess::PerRow | ContractionAccess::Scalar => f.truth(true),
        }
    }

    pub fn load<K: Taken>(&self, place: Place<'f>) -> Value<'f, K> {
        let row = self.row(place);
        match self.is_one_for_a_row() {
            true => K::splat(self.load_one(place)),
            false => K::load(row, place.column),
        }
    }

    pub fn load_quad(&self, place: Place<'f>, quad: Quad<'f>) -> Vector<'f> {
        match quad {
            Quad::Aligned => self.load::<F32s>(place),
            Quad::Apart { end } => {
                let row = self.row(place);
                let f = row.pointer.function();
                // Asked for each: were addresses held back at the edge instead, each would need registers of its own.
                let one = |i: i64| {
                    let column = place.column + i;
                    f.either(column.less(end), || <F32 as Taken>::load(row, column), || f.scalar(0.0))
                };
                F32s::register(f, &(0..QUAD).map(one).collect::<Vec<_>>())
            }
        }
    }

    /// The number of a row.
    pub fn load_one(&self, place: Place<'f>) -> Scalar<'f> {
        let row = self.row(place);
        <F32 as Taken>::load(row, row.pointer.function().index(0))
    }

    pub fn store<K: Taken>(&self, place: Place<'f>, value: Value<'f, K>) {
        K::store(self.row(place), place.column, value);
    }

    /// Where the number of a place is.
    pub fn at(&self, place: Place<'f>) -> Pointer<'f> {
        self.row(place).at(place.column).pointer
    }

    /// Where the row of a place begins.
    fn row(&self, place: Place<'f>) -> Stored<'f> {
        match self.access {
            ContractionAccess::Matrix | ContractionAccess::PerRow => {
                self.elements.at(place.outer * self.outer + place.row * self.row)
            }
            ContractionAccess::PerColumn | ContractionAccess::Scalar => self.elements,
        }
    }
}
