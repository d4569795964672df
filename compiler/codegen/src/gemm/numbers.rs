//! What the panels hold.

use crate::mlir::{Index, Lanes, Pointer, Scalar, Stored, Vector};
use crate::vectors::Vectors;
use tfc_compiler::graph::DType;
use tfc_compiler::precision::Precision;

/// The numbers in a lane of a panel, which always has the size of an f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    F32,
    /// bf16, each as an f32: for machines that multiply nothing narrower.
    Bf16,
    /// bf16, two in a lane: two successive k make one step.
    Bf16Pairs,
}

impl Numbers {
    pub fn new(precision: Precision, vectors: Vectors) -> Numbers {
        match (precision, vectors.bf16) {
            (Precision::F32, _) => Numbers::F32,
            (Precision::Bf16, false) => Numbers::Bf16,
            (Precision::Bf16, true) => Numbers::Bf16Pairs,
        }
    }

    /// Whether products of panels are those of tile registers.
    pub fn in_tiles(self, vectors: Vectors) -> bool {
        self == Numbers::Bf16Pairs && vectors.tiles
    }

    /// Told apart in the names of helpers.
    pub fn name(self) -> &'static str {
        match self {
            Numbers::F32 => "f32",
            Numbers::Bf16 => "bf16",
            Numbers::Bf16Pairs => "bf16_pairs",
        }
    }

    /// How many k make one step: as many as stand in a lane.
    pub const fn step(self) -> i64 {
        match self {
            Numbers::F32 | Numbers::Bf16 => 1,
            Numbers::Bf16Pairs => 2,
        }
    }

    /// The type in which a matrix has the words of a panel, if there is one.
    pub fn stored_as(self) -> Option<DType> {
        match self {
            Numbers::F32 => Some(DType::F32),
            Numbers::Bf16Pairs => Some(DType::BF16),
            // Each would have to be made an f32 as often as it is multiplied.
            Numbers::Bf16 => None,
        }
    }

    /// Steps of `depth` k; what the last lacks is 0.
    pub fn steps(self, depth: Index) -> Index {
        depth.ceiling_division(self.step())
    }

    /// A register of steps from elements that lie side by side: from `k` on, all or `there` of them, at least one.
    pub fn along<'f>(self, row: Stored<'f>, k: Index<'f>, there: Option<Index<'f>>) -> Vector<'f> {
        let lanes = |after: i64| there.map_or(Lanes::All, |there| Lanes::Some((there - after).lanes()));
        match (row.dtype, self) {
            (DType::BF16, Numbers::Bf16Pairs) => row.pointer.load_bf16_pairs(k, there),
            (DType::BF16, Numbers::F32 | Numbers::Bf16) => row.pointer.load_bf16_lanes(k, lanes(0)),
            (DType::F32 | DType::I32, _) => self.rounded(|after| row.pointer.load_lanes(k + after, lanes(after))),
        }
    }

    /// One step from elements that lie side by side, of the type of [`Numbers::stored_as`]: from `k` on, as many as it has, or one less, which is then 0.
    pub fn word<'f>(self, row: Pointer<'f>, k: Index<'f>, is_whole: bool) -> Scalar<'f> {
        match (self, is_whole) {
            (Numbers::F32 | Numbers::Bf16, _) => row.load(k),
            (Numbers::Bf16Pairs, true) => row.load_bf16_pair(k),
            (Numbers::Bf16Pairs, false) => row.load_bf16(k).bits().shift_right_unsigned(16).as_float(),
        }
    }

    /// A register of steps, `f32(i)` giving a register of the f32 that lie i from the first.
    pub fn rounded<'f>(self, f32: impl Fn(i64) -> Vector<'f>) -> Vector<'f> {
        let first = f32(0);
        match self {
            Numbers::F32 => first,
            Numbers::Bf16 => first.rounded_to_bf16(),
            Numbers::Bf16Pairs => first.paired_with_neighbours(f32(first.function().vectors().width as i64)),
        }
    }

    /// One step in a register of lanes: row after row as they are stored, as many as a step has k or one less, which is then 0.
    pub fn across_rows<'f>(self, rows: &[Stored<'f>], lanes: Lanes<'f>) -> Vector<'f> {
        let first = rows[0].pointer.function().index(0);
        match (rows[0].dtype, self) {
            (DType::BF16, Numbers::Bf16Pairs) => {
                rows[0].pointer.load_bf16_pairs_of(rows.get(1).map(|row| row.pointer), lanes)
            }
            (DType::BF16, Numbers::F32 | Numbers::Bf16) => rows[0].load_lanes(first, lanes),
            (DType::F32 | DType::I32, _) => self.across(|i| match rows.get(i as usize) {
                Some(row) => row.load_lanes(first, lanes),
                None => rows[0].pointer.function().vector(0.0),
            }),
        }
    }

    /// One step in a register of lanes: row after row of f32, as many as a step has k; `row` gives 0 for those that are not there.
    pub fn across<'f>(self, row: impl Fn(i64) -> Vector<'f>) -> Vector<'f> {
        match self {
            Numbers::F32 => row(0),
            Numbers::Bf16 => row(0).rounded_to_bf16(),
            Numbers::Bf16Pairs => row(0).paired_with(row(1)),
        }
    }

    /// `sum` + a · b, or the products of the pairs.
    pub fn accumulate<'f>(self, a: Vector<'f>, b: Vector<'f>, sum: Vector<'f>) -> Vector<'f> {
        match self {
            Numbers::F32 | Numbers::Bf16 => a.times_plus(b, sum),
            Numbers::Bf16Pairs => sum.plus_product_of_pairs(a, b),
        }
    }
}
