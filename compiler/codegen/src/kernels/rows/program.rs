//! A program along each row, in as many passes as its reductions need.

use super::line::{Iteration, Reduced};
use super::reduction::{self, Reducing};
use crate::mlir::{Function, Lanes, Launch};
use tfc_compiler::kernel::{Kernel, Program, ProgramOp, Register, RowProgram};

pub fn emit<'f>(f: &'f Function<'f>, launch: Launch<'f>, kernel: &Kernel, body: &RowProgram) {
    let iteration = Iteration::read(launch, kernel, body.outer_rank, &body.access, &body.program);
    f.each(launch.begin, launch.end, 1, |row| {
        let line = iteration.line(f, row, iteration.indices(row));
        let mut reduced = Reduced::new();
        for pass in passes(&body.program) {
            let results = reduction::pass(f, &line, &body.program, iteration.inner, &pass, &reduced);
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

/// The reductions of each pass: those whose arguments need no reduction of the same or a later one.
fn passes(program: &Program) -> Vec<Vec<Reducing>> {
    let mut passes: Vec<Vec<Reducing>> = Vec::new();
    // For each register, the number of passes that must be over before it is known.
    let mut known_after: Vec<usize> = Vec::new();
    for (i, op) in program.ops.iter().enumerate() {
        let needs = op.operands().iter().map(|r| known_after[r.0 as usize]).max().unwrap_or(0);
        known_after.push(match op {
            ProgramOp::Reduce(reduction, argument) => {
                passes.resize_with(passes.len().max(needs + 1), Vec::new);
                passes[needs].push(Reducing {
                    register: Register(i as u16),
                    reduction: *reduction,
                    argument: *argument,
                });
                needs + 1
            }
            ProgramOp::Load(_)
            | ProgramOp::Constant(_)
            | ProgramOp::Size(_)
            | ProgramOp::Unary(..)
            | ProgramOp::Binary(..)
            | ProgramOp::Select(..)
            | ProgramOp::InnerIndex
            | ProgramOp::OuterIndex(_)
            | ProgramOp::Given
            | ProgramOp::Uniform { .. } => needs,
        });
    }
    passes
}
