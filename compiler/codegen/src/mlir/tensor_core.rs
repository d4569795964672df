//! Tensor cores: fragments of matrices from shared memory, and their products.
//!
//! Layouts of fragments: "Matrix Fragments for mma.m16n8k16 / mma.m16n8k8" in NVIDIA's PTX ISA.

use super::function::Function;
use super::value::{Bf16s, Int32, Ints, Kind, RoundedBf16s, Scalar, Shared, Value, Vector};
use melior::ir::Type;
use melior::ir::attribute::{DenseI32ArrayAttribute, DenseI64ArrayAttribute};
use tfc_compiler::precision::Precision;

/// What a tensor core multiplies; sums are f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multiplicand {
    /// Pairs of bf16 in a register: A 16 × 16, B 16 × 8.
    Bf16,
    /// f32 whose lower 13 bits are ignored, one in a register: A 16 × 8, B 8 × 8.
    Tf32,
}

impl From<Precision> for Multiplicand {
    fn from(precision: Precision) -> Multiplicand {
        match precision {
            Precision::F32 => Multiplicand::Tf32,
            Precision::Bf16 => Multiplicand::Bf16,
        }
    }
}

impl Multiplicand {
    /// Columns of A and rows of B in one product.
    pub fn depth(self) -> i64 {
        match self {
            Multiplicand::Bf16 => 16,
            Multiplicand::Tf32 => 8,
        }
    }

    /// Of one number.
    pub fn bytes(self) -> i64 {
        match self {
            Multiplicand::Bf16 => 2,
            Multiplicand::Tf32 => 4,
        }
    }
}

/// Registers of one thread that hold its share of a matrix.
pub type Fragment<'f> = Vec<Int32<'f>>;

impl<'f> Vector<'f> {
    /// Rounded to bf16, followed by the next four: a register of eight.
    pub fn as_bf16_with(self, next: Vector<'f>) -> Bf16s<'f> {
        let f = self.function;
        let rounded = |x: Vector<'f>| -> RoundedBf16s<'f> { f.apply("arith.truncf", &[x.raw], &[]) };
        let lanes: Vec<i64> = (0..2 * f.vectors().width as i64).collect();
        f.apply("vector.shuffle", &[rounded(self).raw, rounded(next).raw], &[("mask", f.indices(&lanes))])
    }

    /// Rounded to tf32, halves away from zero.
    pub fn as_tf32(self) -> Ints<'f> {
        let rounded: Vec<_> = self.scalars().into_iter().map(|x| x.as_tf32().raw).collect();
        self.function.apply("vector.from_elements", &rounded, &[])
    }
}

impl<'f> Scalar<'f> {
    /// Rounded to tf32, halves away from zero.
    pub fn as_tf32(self) -> Int32<'f> {
        let f = self.function;
        let attributes = [
            ("rnd", f.parse("#nvvm.fp_rnd_mode<rna>")),
            ("sat", f.parse("#nvvm.sat_mode<none>")),
            ("relu", f.parse("false")),
        ];
        f.apply("nvvm.convert.float.to.tf32", &[self.raw], &attributes)
    }
}

impl<'f> Function<'f> {
    /// sums + a · b for a tile of 16 × 8: `a` four registers, `b` two, `sums` four, those of rows lane / 4 and lane / 4 + 8, columns 2 · (lane % 4) and the next.
    pub fn tensor_product(
        &'f self,
        multiplicand: Multiplicand,
        a: &[Int32<'f>],
        b: &[Int32<'f>],
        sums: &[Scalar<'f>],
    ) -> Vec<Scalar<'f>> {
        let ty = match multiplicand {
            Multiplicand::Bf16 => "#nvvm.mma_type<bf16>",
            Multiplicand::Tf32 => "#nvvm.mma_type<tf32>",
        };
        let shape = format!("#nvvm.shape<m = 16, n = 8, k = {}>", multiplicand.depth());
        let segments =
            DenseI32ArrayAttribute::new(self.context(), &[a.len() as i32, b.len() as i32, sums.len() as i32]);
        let attributes = [
            ("shape", self.parse(&shape)),
            ("layoutA", self.parse("#nvvm.mma_layout<row>")),
            ("layoutB", self.parse("#nvvm.mma_layout<col>")),
            ("multiplicandAPtxType", self.parse(ty)),
            ("multiplicandBPtxType", self.parse(ty)),
            ("operandSegmentSizes", segments.into()),
        ];
        let raw = |values: &[Int32<'f>]| values.iter().map(|v| v.raw).collect::<Vec<_>>();
        let operands = [raw(a), raw(b), sums.iter().map(|s| s.raw).collect()].concat();
        self.apply_several("nvvm.mma.sync", &operands, &attributes, 4)
    }

    /// Four 8 × 8 matrices of 16-bit numbers, a register each: lanes 8i to 8i + 7 hand over the addresses of the rows of matrix i, 16 bytes each. A lane gets
    /// the two numbers at row lane / 4, columns 2 · (lane % 4) and the next, of the matrix or, `turned`, of its transpose.
    pub fn load_fragment(&'f self, row: Shared<'f>, turned: bool) -> Fragment<'f> {
        let layout = if turned { "#nvvm.mma_layout<col>" } else { "#nvvm.mma_layout<row>" };
        let attributes = [
            ("num", self.parse("4 : i32")),
            ("layout", self.parse(layout)),
            ("shape", self.parse("#nvvm.ld_st_matrix_shape<m = 8, n = 8>")),
            ("eltType", self.parse("#nvvm.ld_st_matrix_elt_type<b16>")),
        ];
        self.apply_several("nvvm.ldmatrix", &[row.raw], &attributes, 4)
    }

    /// Appends an operation that results in a structure of `count` equal values.
    fn apply_several<K: Kind>(
        &'f self,
        name: &str,
        operands: &[melior::ir::Value<'f, 'f>],
        attributes: &[(&str, melior::ir::Attribute<'f>)],
        count: usize,
    ) -> Vec<Value<'f, K>> {
        let members = vec![self.ty::<K>().to_string(); count].join(", ");
        let ty = Type::parse(self.context(), &format!("!llvm.struct<({members})>")).expect("a type");
        let result = self.append(name, operands, &[ty], attributes).result(0).expect("one result").into();
        let member = |i: usize| {
            let position = DenseI64ArrayAttribute::new(self.context(), &[i as i64]);
            self.apply("llvm.extractvalue", &[result], &[("position", position.into())])
        };
        (0..count).map(member).collect()
    }
}
