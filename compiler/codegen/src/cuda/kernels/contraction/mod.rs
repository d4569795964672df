//! A matrix product on tensor cores, with programs on what is loaded and what is stored.
//!
//! A block computes a tile of C. Slices of A and B are in shared memory, in a ring: the next are on their way while the present ones are multiplied. An operand of
//! tf32 that nothing is computed of is copied around the registers, three slices ahead, and rounded as fragments are read. Others pass through registers, one
//! slice ahead: they are computed and rounded once, on their way to shared memory ([`tile::copies`] says why). Finished sums go through shared memory, so that the epilogue is a short loop over rows that reads and writes
//! four numbers at a time.

mod arguments;
mod epilogue;
mod feed;
mod main_loop;
mod tile;

use crate::mlir::{Function, GpuLaunch};
use arguments::Arguments;
use tfc_compiler::executable::{Extent, Geometry};
use tfc_compiler::kernel::{Contraction, Kernel};

pub use tile::Tile;

pub fn geometry(tile: Tile, body: &Contraction) -> Geometry {
    let blocks = [Extent::Size(0), Extent::Size(1).units(tile.rows), Extent::Size(2).units(tile.columns)];
    Geometry {
        threads: tile.threads() as u32,
        blocks: Extent::Product(blocks.to_vec()),
        shared_bytes: tile.shared_bytes(body) as u32,
    }
}

pub fn emit<'f>(f: &'f Function<'f>, launch: &GpuLaunch<'f>, tile: Tile, kernel: &Kernel, body: &Contraction) {
    let arguments = Arguments::new(f, launch, kernel, body);
    let place = main_loop::Block::this(f, tile, &arguments);
    let sums = main_loop::emit(f, tile, &arguments, body, place);
    epilogue::emit(f, tile, &arguments, body, place, &sums);
}
