//! The loops of a contraction, from work items to tiles.

use super::ahead::Ahead;
use super::epilogue::{self, Tile};
use super::operand::Arguments;
use super::pack::{Block, Side};
use super::passes::Passes;
use super::shared::Shared;
use crate::gemm::{Layout, Numbers, Product, Rows, RowsOfA, Wanted, most_depth, multiply};
use crate::kernels::scratch::Scratch;
use crate::mlir::{Bool, Function, Index, Launch, Pointer};
use crate::vectors::Vectors;
use tfc_compiler::executable::Extent;
use tfc_compiler::kernel::Contraction;

/// Rows of A that are packed and used up before the next are: they stay in the second cache.
const A_ROWS: i64 = 48;
/// The same where they lie across the rows of memory, which are read the faster the longer the runs along them.
const TRANSPOSED_A_ROWS: i64 = 144;
/// Of both where they are not read in place, so that a panel of B is the more often in the first cache.
const PACKED_A_ROWS: i64 = 192;
/// Rows of C in one item where B is shared: whole tiles.
const ITEM_ROWS: i64 = 12;
/// Blocks of columns that share the packing of A while k is done in several passes: their tiles are kept from pass to pass.
const RUN: i64 = 4;
const ROWS: i64 = Contraction::ROW_BLOCK;
/// The rows of a block where B is shared and k is done in several passes: their tiles stay in the second cache from pass to pass.
const ROWS_OF_PASSES: i64 = 192;
/// The most columns of B that a thread packs at once: a multiple of every micro-tile's width.
pub const COLUMNS: i64 = 384;

pub fn a_rows(body: &Contraction, vectors: Vectors) -> i64 {
    let in_tiles = Numbers::new(body.precision, vectors).in_tiles(vectors);
    match (in_tiles || vectors.embedded_broadcast, body.transpose_a) {
        (true, _) => PACKED_A_ROWS,
        (false, true) => TRANSPOSED_A_ROWS,
        (false, false) => A_ROWS,
    }
}

/// Of a launch whose threads share.
pub fn rows_of_item(body: &Contraction, vectors: Vectors) -> i64 {
    let numbers = Numbers::new(body.precision, vectors);
    if numbers.in_tiles(vectors) { Layout::of_a(numbers, vectors).lanes } else { ITEM_ROWS }
}

/// f32 of scratch: a column block of B and a row block of A, packed, and the tiles of C while k is done in several passes.
fn parts(numbers: Numbers, vectors: Vectors) -> [i64; 3] {
    let (a, b) = (Layout::of_a(numbers, vectors), Layout::of_b(numbers, vectors));
    let depth = most_depth(numbers, vectors);
    [b.elements(COLUMNS, depth), a.elements(ROWS, depth), RUN * ROWS * COLUMNS]
}

/// The same where B is shared: the rows of A that are packed at once, and the tiles of C, as large as there is room for.
fn parts_of_sharing(body: &Contraction, numbers: Numbers, vectors: Vectors) -> [i64; 2] {
    let of_a = Layout::of_a(numbers, vectors).elements(a_rows(body, vectors), most_depth(numbers, vectors));
    [of_a, RUN * ROWS * COLUMNS]
}

/// f32 of a panel of A in a pass over k, whole lines of the cache.
fn panel_of_a(numbers: Numbers, vectors: Vectors) -> i64 {
    let a = Layout::of_a(numbers, vectors);
    a.elements(a.lanes, most_depth(numbers, vectors))
}

/// f32 of scratch for any sizes.
pub fn most_scratch_elements(body: &Contraction, vectors: Vectors) -> i64 {
    Scratch::total(&parts(Numbers::new(body.precision, vectors), vectors))
}

/// Where k is done in one pass there are no tiles, and of A the rows that a launch has, or those that are packed at once where no others want them; else there
/// are panels of all rows of a block that a launch has, and behind them tiles of these rows, or of whole blocks where it has several.
pub fn scratch_elements(body: &Contraction, vectors: Vectors) -> Extent {
    let [m, n, k] = [1, 2, 3].map(Extent::Size);
    let numbers = Numbers::new(body.precision, vectors);
    let (a, parts) = (Layout::of_a(numbers, vectors), parts(numbers, vectors));
    let rows = m.clone().or_at_most(ROWS);
    let packed_rows = n.clone().if_at_most(COLUMNS, m.or_at_most(a_rows(body, vectors)), rows.clone());
    let of_a = a.elements_of_passes(packed_rows, k.clone(), Extent::Constant(1));
    let one_pass = Extent::Sum(vec![Extent::Constant(Scratch::total(&parts[..1])), of_a]);
    let of_blocks = n.clone().units(COLUMNS).or_at_most(RUN).times(ROWS * COLUMNS);
    let panels = rows.clone().units(a.lanes).times(panel_of_a(numbers, vectors));
    let tiles = n.if_at_most(COLUMNS, rows.units(a.lanes).times(a.lanes * COLUMNS), of_blocks);
    let passes = Extent::Sum(vec![Extent::Constant(Scratch::total(&parts[..1])), panels, tiles]);
    k.if_at_most(most_depth(numbers, vectors), one_pass, passes)
}

/// Where B is shared: of A the rows that are packed at once, and tiles of all columns where k is done in several passes.
pub fn scratch_elements_of_sharing(body: &Contraction, vectors: Vectors) -> Extent {
    let [m, n, k] = [1, 2, 3].map(Extent::Size);
    let numbers = Numbers::new(body.precision, vectors);
    let (a, b) = (Layout::of_a(numbers, vectors), Layout::of_b(numbers, vectors));
    let one_pass = a.elements_of_passes(m.or_at_most(a_rows(body, vectors)), k.clone(), Extent::Constant(1));
    let of_a = Scratch::total(&parts_of_sharing(body, numbers, vectors)[..1]);
    let tiles = n.or_at_most(RUN * COLUMNS).units(b.lanes).times(b.lanes * ROWS_OF_PASSES);
    k.if_at_most(most_depth(numbers, vectors), one_pass, Extent::Sum(vec![Extent::Constant(of_a), tiles]))
}

pub fn emit<'f>(f: &'f Function<'f>, launch: Launch<'f>, arguments: &Arguments<'f>, body: &Contraction) {
    let (vectors, numbers) = (f.vectors(), Numbers::new(body.precision, f.vectors()));
    let passes = Passes::new(arguments.k, numbers, vectors);
    let side = |matrix, k_along_rows, layout, prologue| Side { f, arguments, matrix, k_along_rows, layout, prologue };
    let [prologue_a, prologue_b] = [&body.prologue_a, &body.prologue_b].map(Option::as_ref);
    let a = side(arguments.a, !body.transpose_a, Layout::of_a(numbers, vectors), prologue_a);
    let b = side(arguments.b, body.transpose_b, Layout::of_b(numbers, vectors), prologue_b);
    let tile = f.stack(a.layout.lanes * b.layout.lanes);
    let shared = Shared { f, arguments, side: b, passes };
    let is_shared = shared.there();
    let [packed_b, packed_a, _] = Scratch::divide(launch.scratch, parts(numbers, vectors));
    let panels = arguments.m.or_at_most(f.index(ROWS)).ceiling_division(a.layout.lanes);
    let tiles = packed_a.at(panels * panel_of_a(numbers, vectors));
    let of_sharing = Scratch::divide(launch.scratch, parts_of_sharing(body, numbers, vectors));
    let [packed_a, tiles] = [0, 1].map(|i| is_shared.select(of_sharing[i], [packed_a, tiles][i]));
    let nest = Nest {
        f,
        body,
        arguments,
        a,
        is_shared,
        shared,
        one_pass: passes.count.equals(f.index(1)),
        passes,
        packed_a,
        packed_b,
        tiles,
        tile,
    };
    f.either(
        launch.begin.less(f.index(0)),
        || nest.shared.prepare(launch),
        || {
            let items = || f.with_tiles(numbers.in_tiles(vectors), || nest.items(launch));
            f.when(launch.begin.less(launch.end), items);
        },
    );
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
fn even<'f>(size: Index<'f>, count: Index<'f>, tile: i64) -> Index<'f> {
    let count = count.or_at_least(size.constant(1));
    ((size + count - 1) / count).round_up(tile)
}

struct Nest<'a, 'f> {
    f: &'f Function<'f>,
    body: &'a Contraction,
    arguments: &'a Arguments<'f>,
    a: Side<'a, 'f>,
    /// B, and whether it has been packed for all threads.
    shared: Shared<'a, 'f>,
    is_shared: Bool<'f>,
    passes: Passes<'f>,
    one_pass: Bool<'f>,
    packed_a: Pointer<'f>,
    packed_b: Pointer<'f>,
    /// The tiles of a run, or the one of the moment if it is finished at once.
    tiles: Pointer<'f>,
    tile: Pointer<'f>,
}

/// Rows and columns of C.
#[derive(Clone, Copy)]
struct Part<'f> {
    outer: Index<'f>,
    row: Index<'f>,
    rows: Index<'f>,
    column: Index<'f>,
    columns: Index<'f>,
}

/// One pass over a block of C.
#[derive(Clone, Copy)]
struct Pass<'f> {
    part: Part<'f>,
    /// Of k.
    number: Index<'f>,
    /// Where the tiles are kept, and how many columns a row of them has.
    tiles: Pointer<'f>,
    tiles_pitch: Index<'f>,
    /// Whether A is yet to be packed, and whether others will want it.
    packs_a: Bool<'f>,
    keeps_a: Bool<'f>,
}

/// Rows of A that are multiplied with all columns of a part before the next are.
#[derive(Clone, Copy)]
struct BlockOfA<'f> {
    /// Of the part's rows.
    first: Index<'f>,
    rows: Index<'f>,
    /// How many are read where they are stored; the others are packed, each where it would be if all were.
    in_place: Index<'f>,
    packed: Pointer<'f>,
}

impl<'f> Nest<'_, 'f> {
    /// The items `[begin, end)` of a launch. Those of one row block follow each other: they are done together, or in runs.
    fn items(&self, launch: Launch<'f>) {
        let (f, arguments, shared) = (self.f, self.arguments, self.is_shared);
        let (zero, m, n) = (f.index(0), arguments.m, arguments.n);
        // Groups of rows, where B is shared.
        let rows_of_item = rows_of_item(self.body, f.vectors());
        let first_row = launch.begin * rows_of_item;
        let last_row = (launch.end * rows_of_item).or_at_most(m);
        // Groups of columns in row blocks of one size, as nearly as can be, where it is not.
        let row_blocks = row_blocks(arguments, self.body);
        let shared_rows = self.one_pass.select(f.index(ROWS), f.index(ROWS_OF_PASSES));
        let block_rows = shared.select(shared_rows, even(m, row_blocks, self.a.layout.lanes));
        let item_columns = self.body.column_block();
        let items = n.ceiling_division(item_columns);
        let column = |item: Index<'f>| (item.or_at_least(zero) * item_columns).or_at_most(n);
        let run = self.one_pass.select(n, f.index(RUN * COLUMNS)).or_at_least(f.index(1));
        let begin = shared.select(zero, launch.begin / items);
        let shared_blocks = (last_row - first_row + shared_rows - 1) / shared_rows;
        let end = shared.select(shared_blocks, (launch.end + items - 1) / items);
        f.each(begin, end, 1, |block| {
            let outer = shared.select(zero, block / row_blocks);
            let row = shared.select(first_row + block * shared_rows, block % row_blocks * block_rows);
            let rows = (shared.select(last_row, m) - row).or_at_most(block_rows);
            let first = shared.select(zero, column(launch.begin - block * items));
            let end = shared.select(n, column(launch.end - block * items));
            f.each_by(first, end, run, |column| {
                let columns = (end - column).or_at_most(run);
                self.run(Part { outer, row, rows, column, columns });
            });
        });
    }

    /// All passes over columns that share the packing of A: those of one block where B is there already, else of several.
    fn run(&self, part: Part<'f>) {
        let f = self.f;
        let blocks = self.is_shared.select(f.index(1), part.columns.ceiling_division(COLUMNS));
        let block_columns = even(part.columns, blocks, self.shared.side.layout.lanes);
        let keeps_a = f.index(1).less(blocks);
        f.times(self.passes.count, |number| {
            f.times(blocks, |block| {
                let first = block * block_columns;
                let columns = (part.columns - first).or_at_most(block_columns);
                let (tiles, packs_a) = (self.tiles.at(block * (ROWS * COLUMNS)), block.equals(f.index(0)));
                let part = Part { column: part.column + first, columns, ..part };
                let tiles_pitch = columns.round_up(self.shared.side.layout.lanes);
                self.block(Pass { part, number, tiles, tiles_pitch, packs_a, keeps_a });
            });
        });
        let Part { row, rows, column, columns, .. } = part;
        self.arguments.turn(f, self.body, [row, row + rows], [column, column + columns]);
    }

    fn block(&self, pass: Pass<'f>) {
        let (f, Part { outer, row, rows, .. }) = (self.f, pass.part);
        let (k, depth) = self.passes.of(pass.number);
        let packed_b = self.block_of_b(pass);
        let a_rows = a_rows(self.body, f.vectors());
        f.each(f.index(0), rows, a_rows, |i| {
            let there = (rows - i).or_at_most(f.index(a_rows));
            let distance = self.a.layout.distance(depth);
            let kept = i / self.a.layout.lanes * distance;
            let packed_a = self.packed_a.at(pass.keeps_a.select(kept, f.index(0)));
            let block = Block { outer, lane: row + i, lanes: there, k, depth, distance };
            let in_place = self.a.lanes_in_place(there);
            let rest = Block { lane: block.lane + in_place, lanes: there - in_place, ..block };
            let to = packed_a.at(in_place / self.a.layout.lanes * distance);
            f.when(pass.packs_a & in_place.less(there), || self.a.pack(rest, to));
            // What is wanted next: the rows behind these, or the first again, of the next pass.
            let (is_last, next_pass) = (rows.at_most(i + a_rows), pass.number + 1);
            let (next_k, next_depth) = self.passes.of(next_pass);
            let next = Block {
                lane: is_last.select(row, block.lane + a_rows),
                k: is_last.select(next_k, k),
                depth: is_last.select(next_depth, depth),
                ..block
            };
            let is_next = pass.packs_a & (!is_last | (!pass.keeps_a & next_pass.less(self.passes.count)));
            let block = BlockOfA { first: i, rows: there, in_place, packed: packed_a };
            self.tiles(pass, block, packed_b, |tiles| Ahead::new(&self.a, next, tiles, is_next));
        });
    }

    /// The tiles of a block of A.
    fn tiles(
        &self,
        pass: Pass<'f>,
        block: BlockOfA<'f>,
        packed_b: Pointer<'f>,
        ahead: impl Fn(Index<'f>) -> Ahead<'f>,
    ) {
        let (f, arguments, body) = (self.f, self.arguments, self.body);
        let Part { outer, row, column, columns, .. } = pass.part;
        let BlockOfA { first, rows, in_place, packed } = block;
        let (a, b) = (self.a.layout, self.shared.side.layout);
        let (first_k, k) = self.passes.of(pass.number);
        let is_first = pass.number.equals(f.index(0));
        let is_last = pass.number.equals(self.passes.count - 1);
        let [row_tiles, column_tiles] = [(rows, a), (columns, b)].map(|(size, side)| size.ceiling_division(side.lanes));
        let ahead = ahead(row_tiles * column_tiles);
        let kept = |r: Index<'f>, c: Index<'f>| pass.tiles.at((first + r) * pass.tiles_pitch + c * a.lanes);
        // What comes after a tile, and was kept in the pass before: near caches may have lost it since.
        let next_kept = |row_tile: Index<'f>, column_tile: Index<'f>| {
            let is_last_row = row_tiles.at_most(row_tile + 1);
            let next_row = is_last_row.select(f.index(0), row_tile + 1);
            let next_column = is_last_row.select(column_tile + 1, column_tile);
            let rows = Rows { pointer: kept(next_row * a.lanes, next_column * b.lanes), stride: f.index(b.lanes) };
            let is_there = !is_first & next_column.less(column_tiles);
            Wanted { rows, count: is_there.select(f.index(a.lanes), f.index(0)) }
        };
        f.times(column_tiles, |column_tile| {
            f.times(row_tiles, |row_tile| {
                let (r, c) = (row_tile * a.lanes, column_tile * b.lanes);
                let elements = self.one_pass.select(self.tile, kept(r, c));
                let (rows, columns) = (rows - r, columns - c);
                let tile = Tile { elements, outer, row: row + first + r, column: column + c, rows, columns };
                let mut wanted = epilogue::wanted(f, arguments, body, tile, is_last);
                wanted.push(ahead.of(column_tile * row_tiles + row_tile));
                wanted.push(next_kept(row_tile, column_tile));
                let out = epilogue::destination(f, arguments, body, tile, is_last);
                let product = Product {
                    a: RowsOfA::Packed(packed.at(row_tile * a.distance(k))),
                    b: packed_b.at(column_tile * b.distance(k)),
                    k,
                    before: elements,
                    accumulate: !is_first,
                    columns,
                    out: out.rows,
                    adds: out.adds,
                };
                let on_panel = || multiply(f, a.numbers, product, &wanted);
                let on_rows = || {
                    let rows = self.a.rows(outer, row + first + r, first_k);
                    multiply(f, a.numbers, Product { a: rows, ..product }, &wanted);
                };
                match self.a.is_in_place() {
                    true => f.either(r.less(in_place), on_rows, on_panel),
                    false => on_panel(),
                }
                f.when(is_last & !out.is_c, || epilogue::store(f, arguments, body, tile));
            });
        });
    }

    /// Where its panels are: with those of all columns, or packed here and now.
    fn block_of_b(&self, pass: Pass<'f>) -> Pointer<'f> {
        let Part { outer, column, columns, .. } = pass.part;
        let (panels, (k, depth)) = (self.shared.panels(pass.number), self.passes.of(pass.number));
        let block = Block { outer, lane: column, lanes: columns, k, depth, distance: panels.distance };
        self.f.when(!self.is_shared, || self.shared.side.pack(block, self.packed_b));
        self.is_shared.select(panels.at(column), self.packed_b)
    }
}
