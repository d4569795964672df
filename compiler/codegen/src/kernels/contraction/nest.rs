//! The loops of a contraction, from work items to tiles.

use super::epilogue::{self, Tile};
use super::operand::Arguments;
use super::pack::{Block, Side};
use crate::gemm::{Layout, Numbers, Panels, STEPS, multiply};
use crate::kernels::scratch::Scratch;
use crate::mlir::{Bool, Function, Index, Launch, Pointer};
use crate::vectors::Vectors;
use tfc_compiler::kernel::Contraction;

/// Rows of A that are packed and used up before the next are: they stay in the second cache.
const A_ROWS: i64 = 48;
/// Blocks of columns that share the packing of A while k is done in several passes: their tiles are kept from pass to pass.
const RUN: i64 = 4;
const ROWS: i64 = Contraction::ROW_BLOCK;
/// The most columns of B that are packed at once: a multiple of every micro-tile's width.
pub const COLUMNS: i64 = 384;

/// f32 of scratch: a row block of A and a column block of B, packed, and the tiles of C while k is done in several passes.
fn parts(numbers: Numbers, vectors: Vectors) -> [i64; 3] {
    let (a, b) = (Layout::of_a(numbers, vectors), Layout::of_b(numbers, vectors));
    let depth = STEPS * numbers.step();
    [a.elements(ROWS, depth), b.elements(COLUMNS, depth), RUN * ROWS * COLUMNS]
}

pub fn scratch_elements(body: &Contraction, vectors: Vectors) -> i64 {
    Scratch::total(&parts(Numbers::new(body.precision, vectors), vectors))
}

pub fn emit<'f>(f: &'f Function<'f>, launch: Launch<'f>, arguments: &Arguments<'f>, body: &Contraction) {
    let row_blocks = row_blocks(arguments, body);
    let items = arguments.n.ceiling_division(Contraction::COLUMN_BLOCK);
    // Of one size, as nearly as can be, and no larger than a block.
    let vectors = f.vectors();
    let numbers = Numbers::new(body.precision, vectors);
    let passes = arguments.k.ceiling_division(STEPS * numbers.step()).or_at_least(f.index(1));
    let depth = ((arguments.k + passes - 1) / passes).round_up(8);
    let one_pass = passes.equals(f.index(1));
    let run = one_pass.select(arguments.n, f.index(RUN * COLUMNS)).or_at_least(f.index(1));
    let block_rows = even(arguments.m, row_blocks, vectors.rows);
    let [packed_a, packed_b, tiles] = Scratch::divide(launch.scratch, parts(numbers, vectors));
    let tile = f.stack((vectors.rows * vectors.columns()) as i64);
    let nest =
        Nest { f, body, numbers, arguments, block_rows, passes, depth, one_pass, packed_a, packed_b, tiles, tile };
    // Items of one row block follow each other: they are done together, or in runs.
    f.when(launch.begin.less(launch.end), || {
        f.each(launch.begin / items, (launch.end + items - 1) / items, 1, |block| {
            let column = |item: Index<'f>| item.or_at_least(f.index(0)) * Contraction::COLUMN_BLOCK;
            let first = column(launch.begin - block * items);
            let end = column(launch.end - block * items).or_at_most(arguments.n);
            f.each_by(first, end, run, |first| {
                let end = (first + run).or_at_most(end);
                nest.run(block / row_blocks, block % row_blocks * block_rows, first, end);
            });
        });
    });
}

/// As [`Contraction::extent`] counts them.
fn row_blocks<'f>(arguments: &Arguments<'f>, body: &Contraction) -> Index<'f> {
    let (m, n) = (arguments.m, arguments.n);
    let blocks = m.ceiling_division(ROWS);
    let halved = match body.halves_rows() {
        true => blocks * 2,
        false => n.less(m).select(blocks.or_at_least(m.constant(2)), blocks),
    };
    m.less(m.constant(Contraction::HALVED_ROWS)).select(blocks, halved)
}

/// The size of `count` equal blocks of `size`, in whole tiles; `count` may be 0.
fn even<'f>(size: Index<'f>, count: Index<'f>, tile: usize) -> Index<'f> {
    let count = count.or_at_least(size.constant(1));
    ((size + count - 1) / count).round_up(tile as i64)
}

struct Nest<'a, 'f> {
    f: &'f Function<'f>,
    body: &'a Contraction,
    numbers: Numbers,
    arguments: &'a Arguments<'f>,
    block_rows: Index<'f>,
    /// How often k is begun anew, and how much of it is done each time.
    passes: Index<'f>,
    depth: Index<'f>,
    one_pass: Bool<'f>,
    packed_a: Pointer<'f>,
    packed_b: Pointer<'f>,
    /// The tiles of a run, or the one of the moment if it is finished at once.
    tiles: Pointer<'f>,
    tile: Pointer<'f>,
}

/// One pass over a block of C.
#[derive(Clone, Copy)]
struct Pass<'f> {
    outer: Index<'f>,
    row: Index<'f>,
    column: Index<'f>,
    columns: Index<'f>,
    k: Index<'f>,
    depth: Index<'f>,
    is_first: Bool<'f>,
    is_last: Bool<'f>,
    /// Where the tiles are kept.
    tiles: Pointer<'f>,
    /// Whether A is yet to be packed, and whether others will want it.
    packs_a: Bool<'f>,
    keeps_a: Bool<'f>,
}

impl<'f> Nest<'_, 'f> {
    /// Columns `[first, end)` of a row block.
    fn run(&self, outer: Index<'f>, row: Index<'f>, first: Index<'f>, end: Index<'f>) {
        let f = self.f;
        let blocks = (end - first).ceiling_division(COLUMNS);
        let block_columns = even(end - first, blocks, f.vectors().columns());
        let keeps_a = f.index(1).less(blocks);
        f.times(self.passes, |pass| {
            let k = pass * self.depth;
            let depth = (self.arguments.k - k).or_at_most(self.depth);
            let (is_first, is_last) = (pass.equals(f.index(0)), pass.equals(self.passes - 1));
            f.times(blocks, |block| {
                let column = first + block * block_columns;
                let columns = (end - column).or_at_most(block_columns);
                let (tiles, packs_a) = (self.tiles.at(block * (ROWS * COLUMNS)), block.equals(f.index(0)));
                self.block(Pass { outer, row, column, columns, k, depth, is_first, is_last, tiles, packs_a, keeps_a });
            });
        });
    }

    fn block(&self, pass: Pass<'f>) {
        let (f, arguments, body) = (self.f, self.arguments, self.body);
        let Pass { outer, row, column, columns, k, depth, .. } = pass;
        let (layout_a, layout_b) = (Layout::of_a(self.numbers, f.vectors()), Layout::of_b(self.numbers, f.vectors()));
        let side_a = Side {
            f,
            arguments,
            matrix: arguments.a,
            k_along_rows: !body.transpose_a,
            layout: layout_a,
            prologue: body.prologue_a.as_ref(),
        };
        let side_b = Side {
            f,
            arguments,
            matrix: arguments.b,
            k_along_rows: body.transpose_b,
            layout: layout_b,
            prologue: body.prologue_b.as_ref(),
        };
        let rows = (arguments.m - row).or_at_most(self.block_rows);
        side_b.pack(Block { outer, lane: column, lanes: columns, k, depth }, self.packed_b);
        f.each(f.index(0), rows, A_ROWS, |i| {
            let block_rows = (rows - i).or_at_most(f.index(A_ROWS));
            let kept = i / layout_a.lanes * layout_a.distance(depth);
            let packed_a = self.packed_a.at(pass.keeps_a.select(kept, f.index(0)));
            f.when(pass.packs_a, || side_a.pack(Block { outer, lane: row + i, lanes: block_rows, k, depth }, packed_a));
            f.each(f.index(0), columns, layout_b.lanes, |c| {
                let b = self.packed_b.at(c / layout_b.lanes * layout_b.distance(depth));
                f.each(f.index(0), block_rows, layout_a.lanes, |r| {
                    let a = packed_a.at(r / layout_a.lanes * layout_a.distance(depth));
                    let kept = pass.tiles.at((i + r) * COLUMNS + c * layout_a.lanes);
                    let elements = self.one_pass.select(self.tile, kept);
                    let (row, column) = (row + i + r, column + c);
                    let (rows, columns) = (block_rows - r, columns - c);
                    let tile = Tile { elements, outer, row, column, rows, columns };
                    f.when(pass.is_last, || epilogue::prefetch(f, arguments, body, tile));
                    let accumulate = !pass.is_first;
                    multiply(f, self.numbers, Panels { a, b, k: depth, tile: elements, accumulate });
                    f.when(pass.is_last, || epilogue::store(f, arguments, body, tile));
                });
            });
        });
    }
}
