//! B, packed once by all threads together, before any of them multiplies.
//!
//! Each thread could pack what it reads, but what is not divided among threads, all of them would pack.

use super::operand::Arguments;
use super::pack::{Block, Side};
use super::passes::Passes;
use crate::gemm::{Layout, Numbers};
use crate::mlir::{Bool, Function, Index, Launch, Pointer};
use crate::vectors::Vectors;
use tfc_compiler::executable::Extent;
use tfc_compiler::kernel::Contraction;

/// f32 that are enough for the panels of any B that is shared: what pads them is less than B.
pub const MOST_ELEMENTS: i64 = 2 * Contraction::SHARED;

/// f32 of the panels of B, those of all passes.
pub fn elements(numbers: Numbers, vectors: Vectors) -> Extent {
    let [n, k] = [Extent::Size(2), Extent::Size(3)];
    Layout::of_b(numbers, vectors).elements_of_passes(n, k.clone(), Passes::count(k, numbers, vectors))
}

pub struct Shared<'a, 'f> {
    pub f: &'f Function<'f>,
    pub arguments: &'a Arguments<'f>,
    pub side: Side<'a, 'f>,
    pub passes: Passes<'f>,
}

/// The panels of one pass over k.
#[derive(Clone, Copy)]
pub struct Panels<'f> {
    first: Pointer<'f>,
    /// From one to the next.
    pub distance: Index<'f>,
    lanes: i64,
}

impl<'f> Panels<'f> {
    /// The panel that begins with a column.
    pub fn at(self, column: Index<'f>) -> Pointer<'f> {
        self.first.at(column / self.lanes * self.distance)
    }
}

impl<'f> Shared<'_, 'f> {
    /// Whether it is: whoever divides the launch has found that [`Contraction::shares_b`], and given it memory.
    pub fn there(&self) -> Bool<'f> {
        self.f.index(0).less(self.arguments.shared.address())
    }

    pub fn panels(&self, pass: Index<'f>) -> Panels<'f> {
        let layout = self.side.layout;
        let of_a_pass = self.arguments.n.ceiling_division(layout.lanes) * layout.distance(self.passes.depth);
        let (_, depth) = self.passes.of(pass);
        let first = self.arguments.shared.at(pass * of_a_pass);
        Panels { first, distance: layout.distance(depth), lanes: layout.lanes }
    }

    /// Packs the rows of B, as it is stored, of the items `[begin, end)` of a launch, which are below 0.
    pub fn prepare(&self, launch: Launch<'f>) {
        let (f, n, k) = (self.f, self.arguments.n, self.arguments.k);
        let stored_rows = if self.side.k_along_rows { n } else { k };
        let items = stored_rows.ceiling_division(Contraction::PACKED_ROWS);
        f.each(launch.begin + items, launch.end + items, 1, |item| {
            let first = item * Contraction::PACKED_ROWS;
            let rows = (stored_rows - first).or_at_most(f.index(Contraction::PACKED_ROWS));
            let lanes = self.side.layout.lanes;
            match self.side.k_along_rows {
                // Rows are read through, for passes may be short, before others are begun.
                true => f.each(first, first + rows, lanes, |column| {
                    let columns = (first + rows - column).or_at_most(f.index(lanes));
                    f.times(self.passes.count, |pass| self.pack_columns(pass, column, columns));
                }),
                false => self.pack_steps(first, rows),
            }
        });
    }

    /// Some columns, of all k of a pass.
    fn pack_columns(&self, pass: Index<'f>, column: Index<'f>, columns: Index<'f>) {
        let (panels, (k, depth)) = (self.panels(pass), self.passes.of(pass));
        let block = Block { outer: self.f.index(0), lane: column, lanes: columns, k, depth, distance: panels.distance };
        self.side.pack(block, panels.at(column));
    }

    /// All columns, of some k of one pass.
    fn pack_steps(&self, k: Index<'f>, depth: Index<'f>) {
        let pass = k / self.passes.depth;
        let (zero, panels, (begin, _)) = (self.f.index(0), self.panels(pass), self.passes.of(pass));
        let block = Block { outer: zero, lane: zero, lanes: self.arguments.n, k, depth, distance: panels.distance };
        self.side.pack(block, panels.at(zero).at(self.side.layout.step(k - begin)));
    }
}
