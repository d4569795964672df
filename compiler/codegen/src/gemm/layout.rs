//! How packed panels lie in memory.

use super::Numbers;
use crate::mlir::{Index, TILE};
use crate::vectors::Vectors;
use tfc_compiler::executable::Extent;

/// f32 of a cache line. Panels begin a line further than where they would all fall into the same lines of the first cache.
const LINE: i64 = 16;

/// Rows of the micro-tile in tile registers: those of two.
const TILE_ROWS: i64 = 2 * TILE;

/// Panels of A or B, one after the other. The lanes of a panel are rows of A or columns of B.
#[derive(Clone, Copy)]
pub struct Layout {
    pub numbers: Numbers,
    /// Lanes of a panel: the rows or columns of the micro-tile.
    pub lanes: i64,
    /// The distance of one step of k from the next, all lanes of which lie there: whole registers, for that is what packing writes.
    pub pitch: i64,
    pub order: Order,
    width: i64,
}

/// How steps and lanes follow each other in a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Step after step, in each all lanes.
    Steps,
    /// As many steps at a time as a register has words, filled up with 0; of them a register of lanes after the other, in each step after step: columns of
    /// B in tile registers.
    Tiles,
    /// The same, in each lane after lane: rows of A in tile registers.
    TurnedTiles,
}

impl Layout {
    pub fn of_a(numbers: Numbers, vectors: Vectors) -> Layout {
        match numbers.in_tiles(vectors) {
            true => Layout::new(numbers, TILE_ROWS, Order::TurnedTiles, vectors),
            false => Layout::new(numbers, vectors.rows as i64, Order::Steps, vectors),
        }
    }

    pub fn of_b(numbers: Numbers, vectors: Vectors) -> Layout {
        let order = if numbers.in_tiles(vectors) { Order::Tiles } else { Order::Steps };
        Layout::new(numbers, vectors.columns() as i64, order, vectors)
    }

    fn new(numbers: Numbers, lanes: i64, order: Order, vectors: Vectors) -> Layout {
        let width = vectors.width as i64;
        Layout { numbers, lanes, pitch: round_up(lanes, width), order, width }
    }

    /// The k that are packed together: those of a step, or of a register of steps.
    pub fn together(self) -> i64 {
        match self.order {
            Order::Steps => self.numbers.step(),
            Order::Tiles | Order::TurnedTiles => self.width * self.numbers.step(),
        }
    }

    /// Where step `k` of a panel begins; `k` is the first of its step, in turned tiles of those that are packed together.
    pub fn step<'f>(self, k: Index<'f>) -> Index<'f> {
        let step = k / self.numbers.step();
        match self.order {
            Order::Steps | Order::TurnedTiles => step * self.pitch,
            Order::Tiles => step / self.width * (self.width * self.pitch) + step % self.width * self.width,
        }
    }

    /// Where a register of lanes begins in a step.
    pub fn lane<'f>(self, lane: Index<'f>) -> Index<'f> {
        match self.order {
            Order::Steps => lane,
            Order::Tiles | Order::TurnedTiles => lane * self.width,
        }
    }

    /// Told apart in the names of helpers.
    pub fn name(self) -> String {
        let order = match self.order {
            Order::Steps => "",
            Order::Tiles => "_tiles",
            Order::TurnedTiles => "_turned_tiles",
        };
        format!("{}{order}", self.numbers.name())
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
