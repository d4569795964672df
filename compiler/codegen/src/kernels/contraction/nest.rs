//! The loops of a contraction, from work items to tiles.

use super::epilogue::{self, Tile};
use super::operand::Arguments;
use super::pack::{Block, Side, panel_elements};
use crate::gemm::{self, A_ROWS, K_BLOCK};
use crate::mlir::{Function, Index, Launch};
use crate::vectors::Vectors;
use tfc_compiler::kernel::{Contraction, Kernel};

/// f32 of scratch: a block of A, one of B, and the tiles of C of one work item while k is done in several passes.
struct Scratch {
    a: i64,
    b: i64,
    tiles: i64,
}

impl Scratch {
    fn of(vectors: Vectors) -> Scratch {
        Scratch {
            a: gemm::block_elements(A_ROWS, vectors.rows, vectors),
            b: gemm::block_elements(Contraction::COLUMN_BLOCK, vectors.columns(), vectors),
            tiles: Contraction::ROW_BLOCK * Contraction::COLUMN_BLOCK,
        }
    }
}

pub fn scratch_bytes(vectors: Vectors) -> usize {
    let Scratch { a, b, tiles } = Scratch::of(vectors);
    4 * (a + b + tiles) as usize
}

pub fn emit<'f>(f: &'f Function<'f>, launch: Launch<'f>, kernel: &Kernel, body: &Contraction) {
    let arguments = Arguments::read(launch, kernel, body);
    let column_blocks = arguments.n.ceiling_division(Contraction::COLUMN_BLOCK);
    let row_blocks = arguments.m.ceiling_division(Contraction::ROW_BLOCK);
    // Of one size, as nearly as can be, and no larger than a block.
    let passes = arguments.k.ceiling_division(K_BLOCK).or_at_least(f.index(1));
    let depth = ((arguments.k + passes - 1) / passes).round_up(8);
    let nest = Nest { f, launch, body, arguments, passes, depth };
    f.each(launch.begin, launch.end, 1, |item| {
        let (blocks, column) = (item / column_blocks, item % column_blocks);
        nest.item(
            blocks / row_blocks,
            blocks % row_blocks * Contraction::ROW_BLOCK,
            column * Contraction::COLUMN_BLOCK,
        );
    });
}

struct Nest<'a, 'f> {
    f: &'f Function<'f>,
    launch: Launch<'f>,
    body: &'a Contraction,
    arguments: Arguments<'f>,
    /// How often k is begun anew, and how much of it is done each time.
    passes: Index<'f>,
    depth: Index<'f>,
}

impl<'f> Nest<'_, 'f> {
    /// One block of C.
    fn item(&self, outer: Index<'f>, row: Index<'f>, column: Index<'f>) {
        let (f, arguments, body, vectors) = (self.f, &self.arguments, self.body, self.f.vectors());
        let (tile_rows, tile_columns) = (vectors.rows as i64, vectors.columns() as i64);
        let scratch = Scratch::of(vectors);
        let packed_a = self.launch.scratch;
        let packed_b = packed_a.at(f.index(scratch.a));
        let tiles = packed_b.at(f.index(scratch.b));
        let one_tile = f.stack(tile_rows * tile_columns);

        let rows = (arguments.m - row).or_at_most(f.index(Contraction::ROW_BLOCK));
        let columns = (arguments.n - column).or_at_most(f.index(Contraction::COLUMN_BLOCK));
        let side_a = Side {
            f,
            arguments,
            matrix: arguments.a,
            k_along_rows: !body.transpose_a,
            panel: tile_rows,
            prologue: body.prologue_a.as_ref(),
        };
        let side_b = Side {
            f,
            arguments,
            matrix: arguments.b,
            k_along_rows: body.transpose_b,
            panel: tile_columns,
            prologue: body.prologue_b.as_ref(),
        };
        f.times(self.passes, |pass| {
            let k = pass * self.depth;
            let depth = (arguments.k - k).or_at_most(self.depth);
            side_b.pack(Block { outer, lane: column, lanes: columns, k, depth }, packed_b);
            f.each(f.index(0), rows, A_ROWS, |i| {
                let block_rows = (rows - i).or_at_most(f.index(A_ROWS));
                side_a.pack(Block { outer, lane: row + i, lanes: block_rows, k, depth }, packed_a);
                f.each(f.index(0), columns, tile_columns, |c| {
                    f.each(f.index(0), block_rows, tile_rows, |r| {
                        let kept = tiles.at((i + r) * Contraction::COLUMN_BLOCK + c * tile_rows);
                        let elements = self.passes.equals(f.index(1)).select(one_tile, kept);
                        gemm::multiply(
                            f,
                            &gemm::Panels {
                                a: packed_a.at(r / tile_rows * panel_elements(tile_rows, depth)),
                                b: packed_b.at(c / tile_columns * panel_elements(tile_columns, depth)),
                                b_stride: f.index(tile_columns),
                                k: depth,
                                tile: elements,
                                accumulate: pass,
                            },
                        );
                        f.when(pass.equals(self.passes - 1), || {
                            let tile = Tile {
                                elements,
                                outer,
                                row: row + i + r,
                                column: column + c,
                                rows: block_rows - r,
                                columns: columns - c,
                            };
                            epilogue::store(f, arguments, body, tile);
                        });
                    });
                });
            });
        });
    }
}
