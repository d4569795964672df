//! A matrix product on tensor cores, with programs on what is loaded and what is stored.
//!
//! A block computes a tile of C. Slices of A and B are in shared memory, in a ring: the next are on their way while the present ones are multiplied. An operand that
//! is in memory as tensor cores take it, and nothing is computed of, is copied around the registers, three slices ahead. Others pass through registers, one or two
//! slices ahead: they are computed and rounded once, on their way to shared memory ([`Source::copies`] says why). Finished sums go through shared memory, so that the
//! epilogue is a short loop over rows that reads and writes four numbers at a time.

mod arguments;
mod epilogue;
mod feed;
mod main_loop;
mod source;
mod tile;

use crate::cuda::architecture::Architecture;
use crate::mlir::{Function, GpuLaunch};
use arguments::Arguments;
use source::Source;
use tfc_compiler::executable::{Extent, Geometry};
use tfc_compiler::kernel::{Contraction, Kernel};

pub use tile::Tile;

/// The tiles that a kernel can have, first that of the cost model.
pub fn tiles(architecture: Architecture, kernel: &Kernel, body: &Contraction) -> Vec<Tile> {
    Tile::candidates(architecture, &Source::both(kernel, body))
}

/// Of a thread, as is expected.
pub fn registers(architecture: Architecture, tile: Tile, kernel: &Kernel, body: &Contraction) -> i64 {
    tile.registers(architecture, &Source::both(kernel, body))
}

pub fn geometry(tile: Tile, kernel: &Kernel, body: &Contraction) -> Geometry {
    let blocks = [Extent::Size(0), Extent::Size(1).units(tile.rows), Extent::Size(2).units(tile.columns)];
    Geometry {
        threads: tile.threads() as u32,
        blocks: Extent::Product(blocks.to_vec()),
        shared_bytes: tile.shared_bytes(&Source::both(kernel, body)) as u32,
    }
}

pub fn emit<'f>(f: &'f Function<'f>, launch: &GpuLaunch<'f>, tile: Tile, kernel: &Kernel, body: &Contraction) {
    let arguments = Arguments::new(f, launch, kernel, body);
    let place = main_loop::Block::this(f, tile, &arguments);
    let sums = main_loop::emit(f, tile, &arguments, &Source::both(kernel, body), place);
    epilogue::emit(f, tile, &arguments, body, place, &sums);
}
