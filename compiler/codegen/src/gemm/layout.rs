//! How packed panels lie in memory.

use super::Numbers;
use crate::mlir::Index;
use crate::vectors::Vectors;
use tfc_compiler::executable::Extent;

/// f32 of a cache line. Panels begin a line further than where they would all fall into the same lines of the first cache.
const LINE: i64 = 16;

/// Panels of A or B, one after the other; within one, k runs slowest. The lanes of a panel are rows of A or columns of B.
#[derive(Clone, Copy)]
pub struct Layout {
    pub numbers: Numbers,
    /// Lanes of a panel: the rows or columns of the micro-tile.
    pub lanes: i64,
    /// The distance of one step of k from the next: whole registers, for that is what packing writes.
    pub pitch: i64,
    width: i64,
}

impl Layout {
    pub fn of_a(numbers: Numbers, vectors: Vectors) -> Layout {
        Layout::new(numbers, vectors.rows, vectors)
    }

    pub fn of_b(numbers: Numbers, vectors: Vectors) -> Layout {
        Layout::new(numbers, vectors.columns(), vectors)
    }

    fn new(numbers: Numbers, lanes: usize, vectors: Vectors) -> Layout {
        let (lanes, width) = (lanes as i64, vectors.width as i64);
        Layout { numbers, lanes, pitch: round_up(lanes, width), width }
    }

    /// Where step `k` of a panel begins; `k` is the first of its step.
    pub fn step<'f>(self, k: Index<'f>) -> Index<'f> {
        k / self.numbers.step() * self.pitch
    }

    /// The distance of panels of `depth` k.
    pub fn distance<'f>(self, depth: Index<'f>) -> Index<'f> {
        self.numbers.steps(depth).round_up(self.width) * self.pitch + LINE
    }

    /// f32 of panels for `lanes` rows or columns of `depth` k.
    pub fn elements(self, lanes: i64, depth: i64) -> i64 {
        let [lanes, depth, once] = [lanes, depth, 1].map(Extent::Constant);
        self.elements_of_passes(lanes, depth, once).evaluate(&[])
    }

    /// The same for all of `k` in some passes, of which each but the last is as deep as whole registers of steps.
    pub fn elements_of_passes(self, lanes: Extent, k: Extent, passes: Extent) -> Extent {
        let registers = k.units(self.numbers.step()).units(self.width);
        let of_panel = Extent::Sum(vec![registers.times(self.width * self.pitch), passes.times(LINE)]);
        Extent::Product(vec![lanes.units(self.lanes), of_panel])
    }
}

pub fn round_up(value: i64, unit: i64) -> i64 {
    (value + unit - 1) / unit * unit
}
