//! How packed panels lie in memory.

use crate::mlir::Index;
use crate::vectors::Vectors;

/// f32 of a cache line. Panels begin a line further than where they would all fall into the same lines of the first cache.
const LINE: i64 = 16;

/// Panels of A or B, one after the other; within one, k runs slowest. The lanes of a panel are rows of A or columns of B.
#[derive(Clone, Copy)]
pub struct Layout {
    /// Lanes of a panel: the rows or columns of the micro-tile.
    pub lanes: i64,
    /// The distance of one k from the next: whole registers, for that is what packing writes.
    pub pitch: i64,
    width: i64,
}

impl Layout {
    pub fn of_a(vectors: Vectors) -> Layout {
        Layout::new(vectors.rows, vectors)
    }

    pub fn of_b(vectors: Vectors) -> Layout {
        Layout::new(vectors.columns(), vectors)
    }

    fn new(lanes: usize, vectors: Vectors) -> Layout {
        let (lanes, width) = (lanes as i64, vectors.width as i64);
        Layout { lanes, pitch: round_up(lanes, width), width }
    }

    /// The distance of panels with `depth` steps of k.
    pub fn distance<'f>(self, depth: Index<'f>) -> Index<'f> {
        depth.round_up(self.width) * self.pitch + LINE
    }

    /// f32 in the panels of `lanes` rows or columns with `depth` steps of k.
    pub fn elements(self, lanes: i64, depth: i64) -> i64 {
        round_up(lanes, self.lanes) / self.lanes * (round_up(depth, self.width) * self.pitch + LINE)
    }
}

pub fn round_up(value: i64, unit: i64) -> i64 {
    (value + unit - 1) / unit * unit
}
