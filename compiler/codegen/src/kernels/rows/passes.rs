//! In how many passes along a row its reductions are known.

use tfc_compiler::graph::Reduction;
use tfc_compiler::kernel::{Program, ProgramOp, Register};

/// One reduction of a pass.
pub struct Reducing {
    pub register: Register,
    pub reduction: Reduction,
    pub argument: Register,
}

/// The reductions of each pass: those whose arguments need no reduction of the same or a later one.
pub fn passes(program: &Program) -> Vec<Vec<Reducing>> {
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
