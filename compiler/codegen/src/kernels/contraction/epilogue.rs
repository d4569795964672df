//! From a finished tile to memory.

use super::operand::{Arguments, Place};
use crate::kernels::program::evaluate;
use crate::mlir::{Cache, Function, Index, Lanes, Pointer, Vector};
use tfc_compiler::kernel::{Contraction, Register};

/// Where a tile of C is, and how much of it: `rows` × `columns` at least 1, more than a tile being a tile.
#[derive(Clone, Copy)]
pub struct Tile<'f> {
    pub elements: Pointer<'f>,
    pub outer: Index<'f>,
    pub row: Index<'f>,
    pub column: Index<'f>,
    pub rows: Index<'f>,
    pub columns: Index<'f>,
}

/// Computes and stores a tile, a row at a time.
pub fn store<'f>(f: &'f Function<'f>, arguments: &Arguments<'f>, body: &Contraction, tile: Tile<'f>) {
    let vectors = f.vectors();
    let (width, columns) = (vectors.width as i64, vectors.columns() as i64);
    let rows = tile.rows.or_at_most(f.index(vectors.rows as i64));
    let store_rows = |end: Index<'f>, lanes: &dyn Fn(Index<'f>) -> Lanes<'f>| {
        f.times(rows, |r| {
            f.each(f.index(0), end, width, |c| {
                let place = Place { outer: tile.outer, row: tile.row + r, column: tile.column + c, lanes: lanes(c) };
                store_register(f, arguments, body, tile.elements.load_vector(r * columns + c), place);
            });
        });
    };
    let whole = f.index(columns).at_most(tile.columns);
    f.either(
        whole,
        || store_rows(f.index(columns), &|_| Lanes::All),
        || store_rows(tile.columns, &|c| Lanes::Some((tile.columns - c).lanes())),
    );
}

/// Computes and stores a register of finished sums.
pub fn store_register<'f>(
    f: &'f Function<'f>,
    arguments: &Arguments<'f>,
    body: &Contraction,
    sums: Vector<'f>,
    place: Place<'f>,
) {
    let registers: Vec<Register> = body.stores.iter().map(|(_, register)| *register).collect();
    let values =
        evaluate(f, arguments.accuracy, &body.epilogue, &registers, &mut |_, op| arguments.leaf(op, sums, place));
    for ((operand, _), value) in body.stores.iter().zip(values) {
        arguments.operand(*operand).row(place).store_lanes(place.column, value, place.lanes);
    }
}

/// Asks for the memory of a tile, what is read and what is stored, to be called before it is computed.
pub fn prefetch<'f>(f: &'f Function<'f>, arguments: &Arguments<'f>, body: &Contraction, tile: Tile<'f>) {
    let columns = f.vectors().columns() as i64;
    let stored = body.stores.iter().map(|(operand, _)| (*operand, true));
    let is_stored = |operand: &u16| body.stores.iter().any(|(stored, _)| stored == operand);
    let read = body.epilogue.loads().into_iter().filter(|operand| !is_stored(operand)).map(|operand| (operand, false));
    let matrices = stored.chain(read).filter(|(operand, _)| arguments.operand(*operand).is_matrix());
    for (operand, write) in matrices {
        f.times(tile.rows.or_at_most(f.index(f.vectors().rows as i64)), |r| {
            let place = Place { outer: tile.outer, row: tile.row + r, column: tile.column, lanes: Lanes::All };
            let row = arguments.operand(operand).row(place).at(place.column);
            row.prefetch(columns, Cache::First, write);
        });
    }
}
