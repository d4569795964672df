//! Programs along rows, and sums over rows.
//!
//! A program that reduces takes a warp for a short row, a block for a long one. Without reductions a row is cut into tiles, and rows and tiles are one
//! long list for warps.

mod columns;
mod line;
mod team;
mod tiles;
mod whole;

pub use columns::{emit as emit_columns, geometry as column_geometry};

use super::launch::{LANES, THREADS, WARPS};
use crate::mlir::{Function, GpuLaunch};
use tfc_compiler::executable::{Extent, Geometry};
use tfc_compiler::kernel::{ColumnReduction, Inner, Kernel, ProgramOp, RowAccess, RowProgram};

/// Of a thread, as ptxas took them: what is loaded four at a time is held, in a column reduction for several rows at once; where a row is searched for its k-th
/// largest number, the bounds of the search as well.
pub fn registers(body: &RowProgram) -> i64 {
    let searches = body.program.ops.iter().any(|op| matches!(op, ProgramOp::KthLargest(..)));
    (64 + 12 * quads(&body.access) + if searches { 8 } else { 0 }).min(MOST_REGISTERS)
}

pub fn column_registers(body: &ColumnReduction) -> i64 {
    (64 + 28 * quads(&body.access)).min(MOST_REGISTERS)
}

/// That a block of [`THREADS`] can have.
const MOST_REGISTERS: i64 = 255;

fn quads(access: &[RowAccess]) -> i64 {
    access.iter().filter(|access| access.inner == Inner::Unit).count() as i64
}

pub fn geometry(body: &RowProgram) -> Geometry {
    let rows = Extent::Product((0..body.outer_rank.into()).map(Extent::Size).collect());
    let inner = Extent::Size(body.outer_rank.into());
    let (blocks, shared_bytes) = match takes_whole_rows(body) {
        true => {
            let either = Box::new((rows.clone().units(WARPS), rows));
            (Extent::IfAtMost(Box::new(inner), whole::SHORT, either), whole::shared_bytes(body))
        }
        false => (Extent::Product(vec![rows, inner.units(tiles::TILE)]).units(WARPS), 0),
    };
    Geometry { threads: THREADS, blocks, shared_bytes }
}

pub fn emit<'f>(f: &'f Function<'f>, launch: &GpuLaunch<'f>, kernel: &Kernel, body: &RowProgram) {
    match takes_whole_rows(body) {
        true => whole::emit(f, launch, kernel, body),
        false => tiles::emit(f, launch, kernel, body),
    }
}

/// Whether a row must be seen as a whole: to reduce it, or to store one number for it, which parts of the row may have read.
fn takes_whole_rows(body: &RowProgram) -> bool {
    let stored_once = |(operand, _): &(u16, _)| body.access[usize::from(*operand)].inner == Inner::Row;
    body.program.reduces() || body.stores.iter().any(stored_once)
}

const _: () = assert!(tiles::TILE % LANES == 0);
