//! From a finished tile to memory.

use super::operand::{Arguments, Place};
use crate::gemm::{Layout, Numbers, Rows, Wanted};
use crate::kernels::program::evaluate;
use crate::mlir::{Bool, Function, Index, Lanes, Pointer, Vector};
use tfc_compiler::graph::DType;
use tfc_compiler::kernel::{Contraction, ProgramOp, Register};
use tfc_compiler::optimization::Optimization;
use tfc_compiler::scalar::Binary;

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

/// What the sums of a tile leave their registers for.
pub struct Destination<'f> {
    pub rows: Rows<'f>,
    /// Whether that is C itself, and nothing is left to [`store`].
    pub is_c: Bool<'f>,
    /// Whether they are added to what is there.
    pub adds: Bool<'f>,
}

fn tile_rows(f: &Function, body: &Contraction) -> i64 {
    Layout::of_a(Numbers::new(body.precision, f.vectors()), f.vectors()).lanes
}

/// C, where finished sums are the result, or are added to it, and all of the tile lies in it; else the tile's elements.
pub fn destination<'f>(
    f: &'f Function<'f>,
    arguments: &Arguments<'f>,
    body: &Contraction,
    tile: Tile<'f>,
    is_finished: Bool<'f>,
) -> Destination<'f> {
    let [rows, columns] = [tile_rows(f, body), f.vectors().columns() as i64].map(|size| f.index(size));
    let elements = Rows { pointer: tile.elements, stride: columns };
    let c = bare(arguments, body, tile).filter(|_| f.uses(Optimization::DirectStores));
    let Some((c, adds)) = c else {
        return Destination { rows: elements, is_c: f.truth(false), adds: f.truth(false) };
    };
    let is_c = is_finished & rows.at_most(tile.rows) & columns.at_most(tile.columns);
    let pointer = is_c.select(c.pointer, elements.pointer);
    let rows = Rows { pointer, stride: is_c.select(c.stride, elements.stride) };
    Destination { rows, is_c, adds: is_c & f.truth(adds) }
}

/// The rows of C from a tile on, if the sums are stored there as they are, or added to what is there, which the second tells.
fn bare<'f>(arguments: &Arguments<'f>, body: &Contraction, tile: Tile<'f>) -> Option<(Rows<'f>, bool)> {
    let &[(stored, register)] = body.stores.as_slice() else { return None };
    let op = |register: Register| &body.epilogue.ops[register.0 as usize];
    let adds = match op(register) {
        ProgramOp::Given => false,
        ProgramOp::Binary(Binary::Add, a, b) => match (op(*a), op(*b)) {
            (ProgramOp::Given, ProgramOp::Load(old)) | (ProgramOp::Load(old), ProgramOp::Given) if *old == stored => {
                true
            }
            _ => return None,
        },
        _ => return None,
    };
    let operand = arguments.operand(stored);
    let rows = operand.rows(place(tile)).filter(|_| operand.elements.dtype == DType::F32);
    rows.map(|rows| (rows, adds))
}

/// Computes and stores a tile, a row at a time.
pub fn store<'f>(f: &'f Function<'f>, arguments: &Arguments<'f>, body: &Contraction, tile: Tile<'f>) {
    let vectors = f.vectors();
    let (width, columns) = (vectors.width as i64, vectors.columns() as i64);
    let rows = tile.rows.or_at_most(f.index(tile_rows(f, body)));
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

/// The memory of a tile, what is stored and what is read, once its sums are finished.
pub fn wanted<'f>(
    f: &'f Function<'f>,
    arguments: &Arguments<'f>,
    body: &Contraction,
    tile: Tile<'f>,
    is_finished: Bool<'f>,
) -> Vec<Wanted<'f>> {
    let stored = || body.stores.iter().map(|(operand, _)| *operand);
    let read = body.epilogue.loads().into_iter().filter(|read| stored().all(|stored| stored != *read));
    let count = is_finished.select(tile.rows.or_at_most(f.index(tile_rows(f, body))), f.index(0));
    let rows = stored().chain(read).filter_map(|operand| arguments.operand(operand).rows(place(tile)));
    rows.map(|rows| Wanted { rows, count }).collect()
}

/// The first register of a tile.
fn place(tile: Tile<'_>) -> Place<'_> {
    Place { outer: tile.outer, row: tile.row, column: tile.column, lanes: Lanes::All }
}
