//! A program along each row, in as many passes as its reductions need.

use super::line::{Iteration, Reduced};
use super::passes::passes;
use super::reduction::{self, Row};
use super::selection;
use crate::mlir::{Function, Lanes, Launch};
use tfc_compiler::kernel::{Inner, Kernel, Register, RowProgram};

/// Elements that are asked for before they are read, where only numbers of a row are stored.
const READ_AHEAD: i64 = 4096;
/// The same of rows that are read once and stored, as by an optimizer: several of them, all of which must stay in the first cache until they are read.
const STORED_AHEAD: i64 = 512;

/// A row that is walked along several times is in a cache from the second time on.
fn ahead(body: &RowProgram) -> Option<i64> {
    let only_reads = body.stores.iter().all(|(operand, _)| body.access[*operand as usize].inner == Inner::Row);
    match (only_reads, passes(&body.program).is_empty()) {
        (true, _) => Some(READ_AHEAD),
        (false, true) => Some(STORED_AHEAD),
        (false, false) => None,
    }
}

pub fn emit<'f>(f: &'f Function<'f>, launch: Launch<'f>, kernel: &Kernel, body: &RowProgram) {
    let iteration =
        Iteration::read(launch, kernel, body.outer_rank, &body.access, &body.program).asking_for(ahead(body));
    f.each(launch.begin, launch.end, 1, |row| {
        let line = iteration.line(f, row, iteration.indices(row));
        let mut reduced = Reduced::new();
        for pass in passes(&body.program) {
            let row = Row { f, line: &line, program: &body.program, length: iteration.inner, known: &reduced };
            let mut results = reduction::reduce(row, &pass.reductions);
            results.extend(pass.selections.iter().map(|one| (one.register, selection::select(row, one).splat())));
            reduced.extend(results);
        }
        let (once, along): (Vec<_>, Vec<_>) =
            body.stores.iter().partition(|(operand, _)| line.is_row(*operand as usize));
        let store = |stores: &[(u16, Register)], column, lanes| {
            let registers: Vec<Register> = stores.iter().map(|(_, register)| *register).collect();
            let values = line.evaluate(&body.program, &registers, column, lanes, &reduced);
            stores
                .iter()
                .zip(values)
                .for_each(|((operand, _), value)| line.store(*operand as usize, column, lanes, value));
        };
        if !along.is_empty() {
            f.strips(f.index(0), iteration.inner, |column, lanes| store(&along, column, lanes));
        }
        if !once.is_empty() {
            f.when(f.index(0).less(iteration.inner), || store(&once, f.index(0), Lanes::All));
        }
    });
}
