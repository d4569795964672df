//! From finished sums to memory, through shared memory: a row of the tile at a time, four columns to a thread.

use super::arguments::{Arguments, Place};
use super::main_loop::{Block, Sums, Worker};
use super::tile::Tile;
use crate::cuda::kernels::launch::{QUAD, Taken};
use crate::cuda::kernels::rotary::turn_heads;
use crate::kernels::program::evaluate;
use crate::kernels::random;
use crate::mlir::{Bits, F32, F32s, Function, Index, Shared, Value};
use tfc_compiler::kernel::{Contraction, ProgramOp, Register};

pub fn emit<'f>(
    f: &'f Function<'f>,
    tile: Tile,
    arguments: &Arguments<'f>,
    body: &Contraction,
    block: Block<'f>,
    sums: &Sums<'f>,
) {
    let (thread, shared) = (f.thread(), f.shared_memory());
    // The slices are no longer read where sums are written.
    f.barrier();
    let worker = Worker::new(tile, thread);
    for (i, sums) in sums.iter().enumerate() {
        let across = tile.warp_columns / 8;
        let (row, column) = (i as i64 / across * 16, i as i64 % across * 8);
        let row = worker.row + worker.lane / 4 + row as i32;
        let place = row * tile.sums_pitch() as i32 + worker.column + worker.lane % 4 * 2 + column as i32;
        let place = shared.at(place.to_index());
        for (j, sum) in sums.iter().enumerate() {
            let (down, right) = (j as i64 / 2 * 8, j as i64 % 2);
            place.store(f.index(down * tile.sums_pitch() + right), *sum);
        }
    }
    f.barrier();
    let quads = (tile.columns / QUAD) as i32;
    let rows = tile.threads() / i64::from(quads);
    let (first, quad) = ((thread / quads).to_index(), (thread % quads).to_index() * QUAD);
    let column = block.column + quad;
    let end = (arguments.m - block.row).or_at_most(f.index(tile.rows));
    let epilogue = Epilogue { f, arguments, body };
    let used = (2..2 + body.access.len() as u16).filter(|operand| epilogue.uses(*operand));
    let aligned = used.fold((column + QUAD).at_most(arguments.n), |all, operand| {
        all & arguments.operand(operand).is_aligned(f, QUAD)
    });
    let place = |row: Index<'f>, column| Place { outer: block.outer, row: block.row + row, column };
    let sums_at = |row: Index<'f>, column: Index<'f>| shared.at(row * tile.sums_pitch() + column);
    f.each(first, end, rows, |row| {
        let sums: Shared = sums_at(row, quad);
        f.either(
            aligned,
            || epilogue.store::<F32s>(sums.load_aligned(f.index(0)), place(row, column)),
            || {
                let there = (arguments.n - column).or_at_most(f.index(QUAD));
                f.each(f.index(0), there, 1, |i| epilogue.store::<F32>(sums.load(i), place(row, column + i)));
            },
        );
    });
    if let Some(turning) = &arguments.turning {
        let channels = i64::from(turning.rotary.channels);
        let first = block.column.ceiling_division(channels);
        let heads = (block.column + tile.columns).or_at_most(arguments.n).ceiling_division(channels) - first;
        let stored = arguments.operand(body.stores[0].0);
        turn_heads(f, turning, tile.threads(), end * heads, |i| {
            let row = block.row + i / heads;
            (stored.at(Place { outer: block.outer, row, column: (first + i % heads) * channels }), row)
        });
    }
}

struct Epilogue<'a, 'f> {
    f: &'f Function<'f>,
    arguments: &'a Arguments<'f>,
    body: &'a Contraction,
}

impl<'f> Epilogue<'_, 'f> {
    fn uses(&self, operand: u16) -> bool {
        self.body.epilogue.loads().contains(&operand) || self.body.stores.iter().any(|(stored, _)| *stored == operand)
    }

    fn store<K: Taken>(&self, sums: Value<'f, K>, place: Place<'f>) {
        let arguments = self.arguments;
        let registers: Vec<Register> = self.body.stores.iter().map(|(_, register)| *register).collect();
        let values = evaluate(self.f, arguments.accuracy, &self.body.epilogue, &registers, &mut |_, op| match op {
            ProgramOp::Given => sums,
            ProgramOp::Load(operand) => arguments.operand(*operand).load::<K>(place),
            ProgramOp::Size(i) => K::splat(arguments.number(*i)),
            ProgramOp::InnerIndex => K::Bits::counting(place.column).to_float(),
            ProgramOp::Uniform { seed, stream } => {
                let element = (place.outer * arguments.m + place.row) * arguments.n + place.column;
                let seed = arguments.operand(*seed).elements.pointer;
                random::uniform(seed, K::splat(arguments.number(*stream)), element)
            }
            ProgramOp::Constant(_)
            | ProgramOp::Unary(..)
            | ProgramOp::Binary(..)
            | ProgramOp::Select(..)
            | ProgramOp::OuterIndex(_)
            | ProgramOp::Reduce(..)
            | ProgramOp::KthLargest(..) => unreachable!("{op:?} is no leaf of an epilogue: see `check`"),
        });
        for ((operand, _), value) in self.body.stores.iter().zip(values) {
            arguments.operand(*operand).store(place, value);
        }
    }
}
